/** The console's web server: who is there, what they see, what they may do. It listens, and knows no fleet by itself. */
import { IncomingMessage, ServerResponse, createServer as createPlain } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RotaError } from "../base/errors.ts";
import { type ConsoleParts, type Env, consoleApp } from "./app.ts";

export interface Listening extends AsyncDisposable {
  /** "http://127.0.0.1:7682" */
  url: string;
}

export interface Where {
  host: string;
  /** 0: any that is free. */
  port: number;
  /** PEM texts; without them it speaks plain HTTP, for loopback or behind a proxy. */
  tls?: { key: string; cert: string } | undefined;
}

/** @throws RotaError USAGE where it can't listen */
export async function serveConsole(parts: ConsoleParts, { host, port, tls }: Where): Promise<Listening> {
  const app = consoleApp(parts, tls !== undefined);
  const listener = getRequestListener((request, env) => app.fetch(request, bindingsOf(env)), {
    overrideGlobalObjects: false,
  });
  // Slow clients: a request that does not come is given up; a page that does not read is let go of in `live.ts`.
  const limits = {
    headersTimeout: 10_000,
    requestTimeout: 15_000,
    connectionsCheckingInterval: 2_000,
    keepAliveTimeout: 30_000,
    maxHeaderSize: 8_192,
  };
  const handle = (request: Parameters<typeof listener>[0], response: ServerResponse): void =>
    void listener(request, response);
  const server = tls ? createSecure({ ...limits, ...tls }, handle) : createPlain(limits, handle);
  server.maxConnections = 2_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new RotaError("USAGE", {
          problem: `the console can't listen on ${host}:${port}: ${error.message}`,
          left: "nothing was touched",
          next: "rota console --listen with another address or port",
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  // Listening on a port makes it one.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${own}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const bindingsOf = (env: object): Env["Bindings"] => {
  const { incoming, outgoing }: { incoming?: unknown; outgoing?: unknown } = env;
  if (!(incoming instanceof IncomingMessage) || !(outgoing instanceof ServerResponse))
    return { address: "", hangUp: () => undefined };
  return { address: incoming.socket.remoteAddress ?? "", hangUp: () => void outgoing.destroy() };
};
