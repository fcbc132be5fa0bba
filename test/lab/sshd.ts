import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { notYet, yes } from "../../src/base/poll.ts";
import { runs, signal } from "./family.ts";
import type { Processes } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** The SSH server of one node. */
export interface Sshd {
  /** Of the listener. */
  pid: number;
  /** Takes connections again after `stop`. */
  start(): Promise<void>;
  /** New connections are refused from now on; those that are open stay. */
  stop(): Promise<void>;
}

export interface SshdOptions {
  address: string;
  port: number;
  /** Of the node. */
  folder: string;
  hostKey: string;
  /** The public key that may log in. */
  authorizedKey: string;
  processes: Processes;
  /** $HOME of whoever logs in; the node's folder unless given. */
  home?: string;
  /** More lines of sshd_config. */
  more?: string[];
  /** Root may read and write everything; this one is stopped by a file's mode like anybody else. */
  asAnybody?: boolean;
}

export async function startSshd(options: SshdOptions): Promise<Sshd> {
  const { folder, processes } = options;
  if (userInfo().uid === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 }); // root's sshd insists
  const [configFile, log] = [join(folder, "sshd_config"), join(folder, "sshd.log")];
  await writeFile(configFile, sshdConfig(options));
  const withoutRights = ["--bounding-set=-dac_override,-dac_read_search", "/usr/sbin/sshd"];
  const [program, args] =
    options.asAnybody && userInfo().uid === 0 ? ["/usr/bin/setpriv", withoutRights] : ["/usr/sbin/sshd", []];
  const sshd: Sshd = {
    pid: 0,
    async start() {
      sshd.pid = await processes.start(program, [...args, "-D", "-e", "-f", configFile], log);
      await waitFor("sshd to listen", 10_000, async () => {
        if (!runs(sshd.pid)) throw new Error(`sshd has ended:\n${await readFile(log, "utf8")}`);
        return (await listens(options)) ? yes(undefined) : notYet(`it does not, see ${log}`);
      });
    },
    async stop() {
      signal(sshd.pid, "SIGTERM");
      await waitFor("sshd to end", 5_000, async () =>
        runs(sshd.pid) ? notYet(`${sshd.pid} is running`) : yes(undefined),
      );
    },
  };
  await sshd.start();
  return sshd;
}

/** For one that a systemd starts: writes its configuration, and gives its unit. */
export async function sshdUnit(options: SshdOptions): Promise<string> {
  const configFile = join(options.folder, "sshd_config");
  await writeFile(configFile, sshdConfig(options));
  return `[Service]\nExecStart=/usr/sbin/sshd -D -e -f ${configFile}\nKillMode=process\n`;
}

export const untilListens = (options: SshdOptions): Promise<void> =>
  waitFor("sshd to listen", 20_000, async () =>
    (await listens(options)) ? yes(undefined) : notYet(`it does not on ${options.address}:${options.port}`),
  );

const sshdConfig = ({
  address,
  port,
  folder,
  hostKey,
  authorizedKey,
  processes,
  home = folder,
  more = [],
}: SshdOptions): string => `
ListenAddress ${address}:${port}
HostKey ${hostKey}
AuthorizedKeysFile ${authorizedKey}
AuthenticationMethods publickey
PermitRootLogin prohibit-password
# The lab lies in the temporary folder, which others may write to.
StrictModes no
UsePAM no
PidFile ${folder}/sshd.pid
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server
# All nodes share one user. HOME keeps the start files of that user out of it.
SetEnv NODE_HOME=${folder} HOME=${home} ROTA_LAB=${processes.mark.ROTA_LAB}
${more.join("\n")}
`;

async function listens({ port, address }: SshdOptions): Promise<boolean> {
  const socket = net.connect(port, address);
  try {
    await once(socket, "data"); // its version
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
