import { once } from "node:events";
import net from "node:net";

/** Sends one line to a runtime socket and returns all of the answer. */
export async function ask(path: string, line: string): Promise<string> {
  const socket = net.connect(path).setEncoding("utf8");
  socket.setTimeout(2_000, () => socket.destroy(new Error(`${path} does not answer`)));
  let answer = "";
  socket.on("data", (text: string) => (answer += text));
  socket.write(`${line}\n`);
  await once(socket, "close"); // rejects at an error before it
  return answer;
}
