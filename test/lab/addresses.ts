import { randomInt } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { portOf } from "../fakes/app.ts";

/**
 * The first three numbers of a lab's own loopback addresses: 127.A.B. Labs that run at the same time do not
 * meet, and neither do the source ports of connections, which all leave from 127.0.0.1.
 */
export const loopbackPrefix = (): string => `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;

/** As many different ports, each free on all of the addresses. */
export async function freePorts(count: number, addresses: string[]): Promise<number[]> {
  const held: net.Server[] = [];
  const ports: number[] = [];
  try {
    while (ports.length < count) {
      const port = await freePort(addresses, held);
      if (port !== undefined) ports.push(port);
    }
  } finally {
    await Promise.all(held.map(close));
  }
  return ports;
}

/** A port that the first address has free, unless another address has not; `held` keeps it from being found twice. */
async function freePort([first, ...others]: string[], held: net.Server[]): Promise<number | undefined> {
  const server = await listen(0, first);
  held.push(server);
  const port = portOf(server);
  for (const address of others) {
    try {
      held.push(await listen(port, address));
    } catch {
      return undefined;
    }
  }
  return port;
}

async function listen(port: number, host: string | undefined): Promise<net.Server> {
  const server = net.createServer().listen(port, host);
  await once(server, "listening");
  return server;
}

async function close(server: net.Server): Promise<void> {
  server.close();
  await once(server, "close");
}
