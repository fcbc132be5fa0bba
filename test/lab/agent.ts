import { once } from "node:events";
import net from "node:net";
import { freePorts } from "./addresses.ts";

/** An agent as HAProxy's agent-check asks it: each server sends its name, and gets the word that is set for it. */
export interface Agent extends AsyncDisposable {
  /** For `serverOptions`. */
  options: string;
  /** By server; "up" for those that are not named. */
  words: Map<string, string>;
}

export async function startAgent(): Promise<Agent> {
  const address = "127.0.0.1";
  const [port = 0] = await freePorts(1, [address]);
  const words = new Map<string, string>();
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.setEncoding("utf8");
    socket.on("error", () => {}); // HAProxy may leave
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", (name: string) => socket.end(`${words.get(name.trim()) ?? "up"}\n`));
  });
  server.listen(port, address);
  await once(server, "listening");
  return {
    options: `agent-check agent-addr ${address} agent-port ${port} agent-inter 500ms agent-send {name}\\n`,
    words,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
