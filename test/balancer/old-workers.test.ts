import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oldWorkers } from "../../src/balancer/old-workers.ts";
import { openWays } from "../../src/balancer/ways.ts";

const header = "#<PID>          <type>          <reloads>       <uptime>        <version>";
const current = { version: "3.2.26", pid: 2, stopping: false, uptime: 5 };
const place = { balancer: "lb1", backend: "app", server: "web1" };

interface Master extends AsyncDisposable {
  path: string;
  /** Process ids that `show proc` lists as workers. */
  workers: number[];
}

/** HAProxy's master, whose old workers end while they are asked. */
async function dyingWorkers(workers: number[]): Promise<Master> {
  const folder = await mkdtemp(join(tmpdir(), "master-"));
  const master = { path: join(folder, "master.sock"), workers };
  const server = net.createServer((socket) =>
    socket.on("data", (line) => {
      const list = master.workers.map(
        (pid) => `${pid}               worker          0               0d00h00m05s     3.2.26`,
      );
      const known = String(line) === "show proc\n";
      socket.end(known ? `${[header, ...list].join("\n")}\n\n` : "Can't connect to the target CLI!\n");
    }),
  );
  server.listen(master.path);
  await once(server, "listening");
  return Object.assign(master, {
    async [Symbol.asyncDispose]() {
      server.close();
      await rm(folder, { recursive: true });
    },
  });
}

test("an old worker that ends while it is asked is asked again, also while the master lists it still", async () => {
  await using master = await dyingWorkers([2, 1]);
  await using ways = openWays();
  const socket = { kind: "unix", path: master.path } as const;
  const old = oldWorkers({ name: "lb1", socket, master: socket }, ways);
  const why = { code: "BALANCER_UNREACHABLE", message: "lb1: an old worker ended while it was asked" };
  await expect(old.at([place], current)).rejects.toMatchObject(why);
  master.workers = [2];
  expect(await old.at([place], current)).toEqual({ active: [], unseen: undefined });
});
