/** A real uWSGI that runs alone, for roll.py to replace its workers. */
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notYet, yes } from "../../src/base/poll.ts";
import { freePorts, loopbackPrefix } from "./addresses.ts";
import { childrenOf } from "./family.ts";
import { processesIn } from "./processes.ts";
import { releasesIn, type Rolled, rollOf } from "./rolls.ts";
import { waitFor } from "./wait.ts";

const sources = join(import.meta.dirname, "../../src/restart/uwsgi");

interface UwsgiOptions {
  workers?: number;
  bootSeconds?: number;
  /** Without, uWSGI loads the app by itself. */
  guard?: boolean;
  /** One more place, kept free. */
  spare?: boolean;
  lazy?: boolean;
  /** What it begins in and finds its app by: the link, or the folder behind it. */
  follows?: "link" | "folder" | "chdir";
  /** Its chain reload is begun by the file `touch`, too. */
  touch?: boolean;
  /** More lines of its configuration. */
  more?: string[];
}

export interface RolledUwsgi extends Rolled {
  fifo: string;
}

export async function startUwsgi(options: UwsgiOptions = {}): Promise<RolledUwsgi> {
  const { workers = 4, bootSeconds = 0.2, guard = true, spare = false, lazy = true } = options;
  const folder = await mkdtemp(join(tmpdir(), "lab-"));
  const processes = processesIn(folder);
  const releases = await releasesIn(folder);
  for (const file of ["uwsgi_rota.py", "roll.py"]) await copyFile(join(sources, file), join(folder, file));
  const host = `${loopbackPrefix()}.1`;
  const [port = 0] = await freePorts(1, [host]);
  const [stats, fifo, log] = [join(folder, "stats"), join(folder, "fifo"), join(folder, "log")];
  const place = options.follows === "folder" ? releases.release("1") : releases.link;
  const found = options.follows === "chdir" ? "rolled" : join(place, "rolled.py");
  const guarded = [`shared-import = ${folder}/uwsgi_rota.py`, `wsgi-file = ${folder}/uwsgi_rota.py`];
  const plain = options.follows === "chdir" ? "module = rolled" : `wsgi-file = ${found}`;
  const lines = [
    "[uwsgi]",
    "plugin = python3",
    "master = true",
    "die-on-term = true",
    // It ends each connection after its answer, and clients that are not told would send on it once more.
    "add-header = Connection: close",
    `http-socket = ${host}:${port}`,
    `stats = ${stats}`,
    `master-fifo = ${fifo}`,
    `processes = ${workers + Number(spare)}`,
    ...(spare ? [`cheaper = ${workers}`, `cheaper-initial = ${workers}`, "cheaper-algo = manual"] : []),
    ...(lazy ? ["lazy-apps = true"] : []),
    ...(options.follows === "chdir" ? [`chdir = ${releases.link}`] : []),
    `env = BOOT_SECONDS=${bootSeconds}`,
    "env = PYTHONDONTWRITEBYTECODE=1",
    `env = UWSGI_ROTA_APP=${found}`,
    ...(guard ? guarded : [plain]),
    ...(options.touch ? [`touch-chain-reload = ${folder}/touch`] : []),
    ...(options.more ?? []),
  ];
  if (options.touch) await writeFile(join(folder, "touch"), "");
  await writeFile(join(folder, "uwsgi.ini"), `${lines.join("\n")}\n`);
  const pid = await processes.start("uwsgi", ["--ini", join(folder, "uwsgi.ini")], log);

  const accepting = async (): Promise<number[]> =>
    (await workersIn(stats)).filter((one) => one.accepting && one.apps.length > 0).map((one) => one.pid);
  const rolled: RolledUwsgi = {
    folder,
    fifo,
    url: `http://${host}:${port}`,
    pid,
    ...releases,
    ...rollOf(folder, ["--stats", stats, ...(guard ? [] : ["--notice", "none"])]),
    workers: () => childrenOf(pid),
    accepting,
    log: () => readFile(log, "utf8"),
    untilReady: (count) =>
      waitFor(`${count} workers of uWSGI to be ready`, 30_000, async () => {
        const ready = await accepting().catch(() => []);
        return ready.length === count ? yes(undefined) : notYet(`${ready.length} are; see ${log}`);
      }),
    [Symbol.asyncDispose]: () => processes.end(),
  };
  try {
    await rolled.untilReady(workers);
    return rolled;
  } catch (thrown) {
    console.error(await rolled.log());
    await processes.end();
    throw thrown;
  }
}

interface StatsWorker {
  pid: number;
  accepting: number;
  apps: unknown[];
}

/** What its stats server says; nobody, while it is loaded anew. */
async function workersIn(stats: string): Promise<StatsWorker[]> {
  const socket = connect(stats);
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  try {
    await once(socket, "close");
  } catch {
    return [];
  }
  const { workers }: { workers: StatsWorker[] } = JSON.parse(text);
  return workers.filter(({ pid }) => pid > 0);
}
