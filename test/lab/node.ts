import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { notYet, yes } from "../../src/base/poll.ts";
import { runs } from "./family.ts";
import type { Processes } from "./processes.ts";
import { makeKey } from "./ssh-keys.ts";
import { startSshd, sshdUnit, type Sshd, type SshdOptions, untilListens } from "./sshd.ts";
import { homeIn, startSystemd, type Systemd, type SystemdOptions } from "./systemd.ts";
import { waitFor } from "./wait.ts";

/** A host of the lab: an address, a folder, an sshd, and the app under gunicorn. */
export interface LabNode {
  name: string;
  /** Its own loopback address. */
  host: string;
  appPort: number;
  sshPort: number;
  /** $NODE_HOME of every command that comes over SSH. */
  folder: string;
  hostKey: string;
  /** Of gunicorn's master. */
  pidFile: string;
  statusUrl: string;
  /** Absent where a systemd runs it. */
  sshd: Sshd | undefined;
  /** Ends the systemd that it runs under, and with it all; nothing where there is none. */
  stop(): void;
  /** Of gunicorn's master; undefined when it does not run. */
  pid(): Promise<number | undefined>;
  /** What the running app says it is; undefined when it does not answer within a second. */
  release(): Promise<string | undefined>;
  /** What /_status answers from now on; undefined makes it honest again. */
  setStatus(status: number | "hang" | undefined): Promise<void>;
  /** Runs `appctl` here, without SSH. Rejects with what it says when it fails. */
  appctl(action: "start" | "stop" | "restart"): Promise<void>;
  /** Makes this the release that the next start runs. */
  switchRelease(release: string): Promise<void>;
  /** Waits until the app says that it is this release, and well. */
  untilServes(release: string, every?: number): Promise<void>;
}

export interface NodeOptions {
  name: string;
  host: string;
  appPort: number;
  sshPort: number;
  /** Of the lab; it makes one of its own in there. */
  folder: string;
  authorizedKey: string;
  bootSeconds: number;
  /** sshd and the app are units of a systemd of the node's own. */
  systemd?: Pick<SystemdOptions, "sudo"> | undefined;
  /** gunicorn runs with the hook for rolls. */
  hook?: boolean | undefined;
  /** The app runs under uWSGI, with its guard. */
  uwsgi?: boolean | undefined;
  /** gunicorn's sync workers, which never keep a connection: nobody's idle connection is cut when they end. */
  workers: number;
  release: string;
  processes: Processes;
}

export async function startNode(options: NodeOptions): Promise<LabNode> {
  const { name, host, appPort, sshPort, processes } = options;
  const folder = join(options.folder, name);
  await mkdir(folder);
  await installApp(folder, options);
  const hostKey = await makeKey(join(folder, "ssh_host_ed25519_key"));
  const sshdOptions = { ...options, folder, hostKey, address: host, port: sshPort };
  const pidFile = join(folder, "app.pid");
  const statusUrl = `http://${host}:${appPort}/_status`;
  const run = async (command: string, argument: string): Promise<void> => {
    const env = { PATH: "/usr/bin:/bin", ...processes.mark };
    await promisify(execFile)(join(folder, command), [argument], { cwd: folder, env });
  };
  await run("switch-release", options.release);
  const systemd = options.systemd && (await startUnits(options.systemd, sshdOptions));
  const sshd = systemd ? undefined : await startSshd(sshdOptions);
  const node: LabNode = {
    name,
    host,
    appPort,
    sshPort,
    folder,
    hostKey,
    pidFile,
    statusUrl,
    sshd,
    stop: () => systemd?.stop(),
    async pid() {
      const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
      return pid > 0 && runs(pid) ? pid : undefined;
    },
    release: async () => (await statusOf(statusUrl))?.release,
    setStatus: (status) => setStatus(folder, status),
    appctl: (action) => run("appctl", action),
    switchRelease: (release) => run("switch-release", release),
    untilServes: (release, every) =>
      waitFor(
        `${name} to serve release ${release}`,
        60_000,
        async () => {
          const seen = await statusOf(statusUrl);
          const saw = seen ? `${seen.code}, release ${seen.release}` : `no answer, see ${folder}/app.log`;
          return seen?.code === 200 && seen.release === release ? yes(undefined) : notYet(saw);
        },
        every,
      ),
  };
  if (!systemd) await node.appctl("start");
  return node;
}

/** The app is `my_app`. */
async function startUnits(
  systemd: Pick<SystemdOptions, "sudo">,
  sshdOptions: SshdOptions & { folder: string },
): Promise<Systemd> {
  const { folder, processes } = sshdOptions;
  await chmod(join(folder, ".."), 0o711); // whoever logs in is not the owner
  const units = {
    "sshd.service": await sshdUnit({ ...sshdOptions, home: homeIn(folder) }),
    "my_app.service": `[Service]
Type=notify
EnvironmentFile=${folder}/node.env
Environment=NODE_HOME=${folder} PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/gunicorn --bind \${ADDRESS} --workers \${WORKERS} --worker-class sync --chdir ${folder}/current --pid ${folder}/app.pid --graceful-timeout 10 app:application
KillMode=mixed
Restart=on-failure
RestartSec=200ms
`,
  };
  const started = await startSystemd({ folder, units, processes, ...systemd });
  await untilListens(sshdOptions);
  return started;
}

async function installApp(
  folder: string,
  { name, host, appPort, bootSeconds, workers, hook, uwsgi }: NodeOptions,
): Promise<void> {
  for (const file of ["app.py", "appctl", "switch-release"]) {
    await copyFile(join(import.meta.dirname, "app", file), join(folder, file));
  }
  const settings = [
    `NODE_NAME=${name}`,
    `ADDRESS=${host}:${appPort}`,
    `WORKERS=${workers}`,
    `BOOT_SECONDS=${bootSeconds}`,
    ...(hook ? [`export GUNICORN_CMD_ARGS='--config ${folder}/gunicorn_rota.py'`] : []),
  ];
  if (hook)
    await copyFile(
      join(import.meta.dirname, "../../src/restart/gunicorn/gunicorn_rota.py"),
      join(folder, "gunicorn_rota.py"),
    );
  if (uwsgi) await installUwsgi(folder, `${host}:${appPort}`, workers);
  await writeFile(join(folder, "node.env"), `${settings.join("\n")}\n`);
}

/** `appctl` starts it where this is. */
async function installUwsgi(folder: string, address: string, workers: number): Promise<void> {
  const guard = join(folder, "uwsgi_rota.py");
  await copyFile(join(import.meta.dirname, "../../src/restart/uwsgi/uwsgi_rota.py"), guard);
  const configuration = `[uwsgi]
plugin = python3
master = true
die-on-term = true
lazy-apps = true
http-socket = ${address}
add-header = Connection: close
processes = ${workers}
pidfile = ${folder}/app.pid
stats = ${folder}/app.stats
master-fifo = ${folder}/app.fifo
shared-import = ${guard}
wsgi-file = ${guard}
env = UWSGI_ROTA_APP=${folder}/current/app.py
`;
  await writeFile(join(folder, "uwsgi.ini"), configuration);
}

async function setStatus(folder: string, status: number | "hang" | undefined): Promise<void> {
  const [code, hang] = [join(folder, "status-code"), join(folder, "status-hang")];
  if (status !== "hang") await rm(hang, { force: true });
  if (typeof status !== "number") await rm(code, { force: true });
  if (status === "hang") await writeFile(hang, "");
  else if (status !== undefined) await writeFile(code, `${status}`);
}

interface Status {
  code: number;
  release: string;
}

async function statusOf(url: string): Promise<Status | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    const release = /"release": "([^"]*)"/.exec(await response.text())?.[1] ?? "unknown";
    return { code: response.status, release };
  } catch {
    return undefined;
  }
}
