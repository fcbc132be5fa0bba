/** Clients of a kind that the load has none of: bound by a cookie, in a stick table, in TCP mode, with a WebSocket. */
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { setTimeout as wait } from "node:timers/promises";

export interface ClientOptions {
  /** Of the frontend. */
  url: string;
  backend: string;
  /** "X-Client", for a stick table. */
  name?: string;
  /** Keeps one connection. */
  keepAlive?: boolean;
  /** Sent at first; whatever HAProxy sets replaces it, except for a stubborn client. */
  cookie?: string;
  stubborn?: boolean;
  /** Milliseconds that each answer takes. */
  takes?: number;
}

export interface Client {
  sent: number;
  /** What went wrong with each that was lost. Nothing is sent again. */
  lost: string[];
  /** Who answered, each once, in order. */
  servedBy: string[];
  stop(): Promise<void>;
}

/** Sends one request after the other, a short pause between them. */
export function startClient({
  url,
  backend,
  name,
  keepAlive = false,
  cookie,
  stubborn,
  takes = 5,
}: ClientOptions): Client {
  const agent = new http.Agent({ keepAlive, maxSockets: 1 });
  const headers: Record<string, string> = { "X-Backend": backend };
  if (name !== undefined) headers["X-Client"] = name;
  if (cookie !== undefined) headers["Cookie"] = cookie;
  const stopping = new AbortController();
  const client: Client = {
    sent: 0,
    lost: [],
    servedBy: [],
    async stop() {
      stopping.abort();
      await running;
      agent.destroy();
    },
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      client.sent += 1;
      const { node, cookie: set, fault } = await ask(`${url}/slow?ms=${takes}`, agent, headers);
      if (fault !== undefined) client.lost.push(fault);
      if (set !== undefined && cookie !== undefined && !stubborn) headers["Cookie"] = set;
      if (node !== undefined && client.servedBy.at(-1) !== node) client.servedBy.push(node);
      await wait(15);
    }
  })();
  return client;
}

interface Answer {
  node?: string | undefined;
  cookie?: string | undefined;
  fault?: string;
}

const ask = (url: string, agent: http.Agent, headers: Record<string, string>): Promise<Answer> =>
  new Promise((resolve) => {
    const request = http.get(url, { agent, headers, timeout: 20_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("error", () => resolve({ fault: "cut off in the answer" }));
      response.on("end", () => {
        const node = /^release \S+ on (\S+)\n$/.exec(body)?.[1];
        const cookie = response.headers["set-cookie"]?.[0]?.split(";")[0];
        resolve({ node, cookie, ...(node === undefined ? { fault: `status ${response.statusCode}` } : {}) });
      });
    });
    request.on("error", (error) => resolve({ fault: error.message }));
    request.on("timeout", () => request.destroy(new Error("no answer in 20 s")));
  });

/** A connection that stays. */
export interface Staying extends Disposable {
  isOpen(): boolean;
}

/** Resolves when the app has upgraded it. */
export async function openWebSocket(
  url: string,
  { backend, cookie = "" }: { backend: string; cookie?: string },
): Promise<Staying> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const lines = ["GET /ws HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"];
  const key = Buffer.from("a client of a test").toString("base64").slice(0, 22);
  const own = ["Sec-WebSocket-Version: 13", `Sec-WebSocket-Key: ${key}==`, `X-Backend: ${backend}`];
  socket.write([...lines, ...own, `Cookie: ${cookie}`, "", ""].join("\r\n"));
  const [head] = await once(socket.setEncoding("utf8"), "data");
  if (!String(head).startsWith("HTTP/1.1 101 ")) throw new Error(`no WebSocket: ${head}`);
  return staying(socket);
}

/** In TCP mode nothing need be said. */
export async function openConnection(host: string, port: number): Promise<Staying> {
  const socket = net.connect(port, host);
  await once(socket, "connect");
  return staying(socket);
}

function staying(socket: net.Socket): Staying {
  let open = true;
  socket.on("error", () => {}).on("close", () => (open = false));
  socket.resume();
  return { isOpen: () => open, [Symbol.dispose]: () => socket.destroy() };
}
