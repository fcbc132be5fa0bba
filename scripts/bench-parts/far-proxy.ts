/** A way to a socket that is as long as one to another continent: everything arrives later, in its order. */
import { once } from "node:events";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { portOf } from "../../test/fakes/app.ts";

export interface FarAway extends AsyncDisposable {
  /** Puts the way before the socket at this path; returns where it begins, for an inventory. */
  to(path: string): Promise<string>;
  /** What was sent on all of them so far: connections, and pieces of text on them. */
  asked: { connections: number; questions: number };
}

/** @param delay milliseconds each way. A connection takes both ways before anything can be sent on it. */
export function farAway(delay: number): FarAway {
  const asked = { connections: 0, questions: 0 };
  const open = new Set<net.Socket>();
  const servers: net.Server[] = [];
  const join = (near: net.Socket, path: string): void => {
    asked.connections += 1;
    const far = net.connect({ path, allowHalfOpen: true });
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => [near, far].forEach((one) => one.destroy()));
      socket.once("close", () => open.delete(socket));
    }
    near.on("data", () => (asked.questions += 1));
    const ready = performance.now() + 2 * delay;
    carry(near, far, () => Math.max(0, ready - performance.now()) + delay);
    carry(far, near, () => delay);
  };
  return {
    asked,
    async to(path) {
      const server = net.createServer({ allowHalfOpen: true }, (near) => join(near, path));
      servers.push(server.listen(0, "127.0.0.1"));
      await once(server, "listening");
      return `tcp://127.0.0.1:${portOf(server)}`;
    },
    async [Symbol.asyncDispose]() {
      const closed = servers.map((server) => once(server.close(), "close"));
      for (const socket of open) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function carry(from: net.Socket, to: net.Socket, delayNow: () => number): void {
  let last = Promise.resolve();
  const inOrder = (act: () => void): void => {
    const arrived = pause(delayNow());
    last = last.then(() => arrived).then(act);
  };
  from.on("data", (chunk) => inOrder(() => to.writable && to.write(chunk)));
  from.on("end", () => inOrder(() => to.end()));
}
