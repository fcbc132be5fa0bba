import { once } from "node:events";
import http from "node:http";
import type net from "node:net";

/** What the app does with one request. */
export type FakeAnswer =
  | { status: number; body?: string | Buffer; headers?: http.OutgoingHttpHeaders }
  /** Never answers. */
  | "hang"
  /** Sends headers, then a byte each 20 ms, for ever. */
  | "drip"
  /** Cuts the connection instead of answering. */
  | "reset"
  /** Cuts the connection in the middle of the body. */
  | "cut"
  /** As it is then. */
  | ((url: string) => Exclude<FakeAnswer, (url: string) => unknown>);

export interface FakeApp extends AsyncDisposable {
  /** Its status page. */
  url: string;
  port: number;
  requests: { url: string; headers: http.IncomingHttpHeaders; body: string }[];
  /** How many connections were made. */
  connections: number;
  /** The next answers, in order; the last one stays. */
  answers(...next: FakeAnswer[]): void;
}

/** An app whose `/_status` says what the test wants. Without being told it is well. */
export async function fakeApp(): Promise<FakeApp> {
  let queue: FakeAnswer[] = [{ status: 200, body: '{"status":"ok"}' }];
  const server = http.createServer((request, response) => {
    const asked = { url: request.url ?? "", headers: request.headers, body: "" };
    app.requests.push(asked);
    const answer = queue.length > 1 ? queue.shift() : queue[0];
    request.setEncoding("utf8").on("data", (text: string) => (asked.body += text));
    request.on("end", () => answer && give(answer, response));
  });
  server.on("connection", () => (app.connections += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);

  const app: FakeApp = {
    url: `http://127.0.0.1:${port}/_status`,
    port,
    requests: [],
    connections: 0,
    answers: (...next) => void (queue = next),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return app;
}

function give(answer: FakeAnswer, response: http.ServerResponse): void {
  if (typeof answer === "function") return give(answer(response.req.url ?? ""), response);
  if (answer === "hang") return;
  if (answer === "reset") return void response.socket?.destroy();
  if (answer === "drip") {
    response.writeHead(200);
    const timer = setInterval(() => response.write("."), 20);
    response.on("close", () => clearInterval(timer));
    return;
  }
  if (answer === "cut") {
    response.writeHead(200, { "Content-Length": 1_000 });
    response.write("half", () => response.socket?.destroy());
    return;
  }
  response.writeHead(answer.status, answer.headers).end(answer.body);
}

/** The port that was found free, of a server that listens on port 0. */
export function portOf(server: net.Server): number {
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server does not listen on a port");
  return address.port;
}
