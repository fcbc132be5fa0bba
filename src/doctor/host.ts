/** What is to be said of one node's host. Pure. */
import { sayDuration } from "../base/duration.ts";
import { type ErrorCode, RotaError } from "../base/errors.ts";
import { printable } from "../base/quote.ts";
import type { Pool } from "../inventory/fleet.ts";
import { sayBytes } from "../rotation/release/release.ts";
import { type Finding, type FindingCode, type Say, about } from "./findings.ts";
import { type HostFacts, type HostSeen, known, pidfileOf } from "./host-facts.ts";
import { judgeUnit } from "./unit.ts";

export function judgeHost({ node, pool, seen }: HostFacts, values: Record<string, string>): Finding[] {
  const say = about("hosts", node.name);
  if (seen instanceof RotaError)
    return [
      say.bad(codeOf(seen.code), seen.message, seen.next ?? "see that the host is up, and lets you in"),
    ];
  const [user = node.ssh.user] = seen.said.get("user") ?? [];
  const opens = say.ok("host", `opens, its key is known, commands run as ${printable(user)}`);
  if (seen.failed !== undefined)
    return [
      opens,
      say.bad(
        "host-script",
        `could not be looked at: ${printable(seen.failed)}`,
        "a login shell and /bin/sh that run a script; df, id and date on its PATH",
      ),
    ];
  const to = known(pool.release?.to, values);
  return [
    opens,
    ...judgeClock(seen, say),
    ...judgeTools(pool, seen, user, say),
    ...(to === undefined ? [] : judgeRelease(to, seen, say)),
    ...(pool.restart.via === "systemd"
      ? judgeUnit(pool.restart.unit, to, seen.said.get("unit") ?? [], say)
      : []),
    ...judgePidfile(pool, values, seen, say),
    ...judgeStats(pool, values, seen, say),
  ];
}

const codes: Partial<Record<ErrorCode, FindingCode>> = {
  HOST_LOGIN: "host-login",
  HOST_KEY: "host-key",
  SSH_CONFIG: "host-ssh-config",
};

const codeOf = (code: ErrorCode): FindingCode => codes[code] ?? "host-unreachable";

/** Seconds. */
const mostAhead = 2;

function judgeClock({ ahead }: HostSeen, say: Say): Finding[] {
  if (ahead === undefined) return [say.unseen("host-clock", "its clock", "a date that knows +%s")];
  if (Math.abs(ahead) <= mostAhead) return [say.ok("host-clock", "its clock is ours")];
  const seconds = Math.abs(ahead);
  // Roughly, so that nodes that are wrong alike are told together.
  const off = sayDuration((seconds < 90 ? Math.round(seconds) : Math.round(seconds / 60) * 60) * 1_000);
  return [
    say.warn(
      "host-clock",
      `its clock is ${off} ${ahead > 0 ? "ahead of" : "behind"} this machine's: its logs can't be laid beside a run, and what expires (sessions, certificates, caches) does so at another time than on other nodes`,
      "time from one source on all machines: systemd-timesyncd, chrony",
    ),
  ];
}

function judgeTools(pool: Pool, { said, noSftp }: HostSeen, user: string, say: Say): Finding[] {
  const has = (tool: string): boolean => said.get("has")?.includes(tool) ?? false;
  const { restart, release } = pool;
  const found: Finding[] = [];
  if (restart.via === "uwsgi" || (restart.via === "gunicorn" && restart.how !== "restart"))
    found.push(
      has("python3")
        ? say.ok("host-python3", `has python3, which replaces ${restart.via}'s workers`)
        : say.bad(
            "host-python3",
            `has no python3, which replaces ${restart.via}'s workers`,
            `apt-get install python3${restart.via === "gunicorn" ? "; or restart: { how: restart }" : ""}`,
          ),
    );
  if (restart.via === "systemd" && user !== "root")
    found.push(
      say.warn(
        "host-sudo",
        `commands run as ${printable(user)}, and "systemctl restart" mostly wants root`,
        "ssh: { sudo: true }, unless polkit lets this user restart the unit",
      ),
    );
  if (!release) return found;
  if (noSftp !== undefined)
    found.push(
      say.bad(
        "host-sftp",
        `a release can't be uploaded: ${printable(noSftp)}`,
        '"Subsystem sftp internal-sftp" in its sshd_config, then reload sshd',
      ),
    );
  else found.push(say.ok("host-sftp", "takes files over SFTP"));
  const lacks = ["flock", "tar"].filter((tool) => !has(tool));
  if (lacks.length > 0)
    found.push(
      say.bad(
        "host-tools",
        `has no ${lacks.join(" and no ")}, which release: needs`,
        "apt-get install util-linux tar",
      ),
    );
  return found;
}

/** Bytes. */
const [tooLittle, little] = [100e6, 1e9];

function judgeRelease(to: string, { said }: HostSeen, say: Say): Finding[] {
  const one = (word: string): string | undefined => said.get(word)?.[0];
  const folder = one("locked") ?? one("writable") ?? to;
  const found = [
    one("writable") === undefined
      ? say.bad(
          "release-folder",
          `may not write to ${printable(folder)}, where releases go`,
          `chown it to the user whose commands run there; or ssh: { sudo: true }`,
        )
      : say.ok("release-folder", `may write to ${printable(folder)}`),
  ];
  const free = Number(one("free") || NaN) * 1_024;
  const room = "lower release.keep, or make room";
  if (!Number.isFinite(free))
    found.push(say.unseen("release-disk", "how much room there is for releases", "df -Pk there"));
  else if (free < tooLittle)
    found.push(say.bad("release-disk", `has ${sayBytes(free)} left for releases`, room));
  else if (free < little)
    found.push(say.warn("release-disk", `has only ${sayBytes(free)} left for releases`, room));
  else found.push(say.ok("release-disk", "has more than 1 GB left for releases"));
  return [...found, ...judgeCurrent(to, said, say)];
}

function judgeCurrent(to: string, said: HostSeen["said"], say: Say): Finding[] {
  const at = `${to}/current`;
  if (said.has("folder"))
    return [
      say.bad(
        "release-current",
        `${at} is no link, so no release can be switched to`,
        `move it away: mv ${at} ${to}/releases/before-rota, and link it: ln -s releases/before-rota ${at}`,
      ),
    ];
  const [nowhere] = said.get("dangling") ?? [];
  if (nowhere !== undefined)
    return [
      say.warn(
        "release-current",
        `${at} leads to ${printable(nowhere)}, which is not there: the app can't be started as it is`,
        "a deploy, or rota rollback",
      ),
    ];
  if (!said.has("current")) return [say.ok("release-current", `has no ${at} yet: the first deploy makes it`)];
  return [say.ok("release-current", `${at} is a link, and leads to a release`)];
}

function judgePidfile(pool: Pool, values: Record<string, string>, { said }: HostSeen, say: Say): Finding[] {
  const pidfile = known(pidfileOf(pool.restart), values);
  if (pidfile === undefined) return [];
  if (said.has("nopid"))
    return [
      say.warn(
        "pidfile",
        `no process runs by the pid file ${pidfile}`,
        pool.restart.via === "gunicorn"
          ? "start gunicorn on the node, with --pid: only one that runs can be told to take a new release"
          : "is the app down, or its pid file another one?",
      ),
    ];
  const [command = ""] = said.get("command") ?? [];
  return [
    say.ok("pidfile", `a process runs by the pid file ${pidfile}`),
    ...(pool.restart.via === "gunicorn" && pool.release ? judgeGunicorn(command, say) : []),
  ];
}

/** Of uWSGI. One at HOST:PORT is not asked. */
function judgeStats(
  { restart }: Pool,
  values: Record<string, string>,
  { said }: HostSeen,
  say: Say,
): Finding[] {
  const stats = restart.via === "uwsgi" ? known(restart.stats, values) : undefined;
  if (stats?.includes("/") !== true) return [];
  if (said.has("stats")) return [say.ok("uwsgi-stats", `uWSGI's stats socket is there: ${stats}`)];
  return [
    say.warn(
      "uwsgi-stats",
      `there is no socket ${stats}, which uWSGI's stats would be`,
      "start uWSGI on the node, with stats = that path (docs/uwsgi.md); or see the rights of its folder",
    ),
  ];
}

/** Told to load the app anew, gunicorn looks for it where it was started: in the folder behind the link. */
function judgeGunicorn(command: string, say: Say): Finding[] {
  if (/ --(chdir|pythonpath)[ =]/.test(command)) return [];
  const next = "start it with --chdir …/current or --pythonpath …/current (docs/restarts.md, Traps)";
  if (/ (-c|--config)[ =]/.test(command))
    return [
      say.unseen(
        "unit-link",
        "whether gunicorn's own configuration has chdir or pythonpath through the link",
        next,
      ),
    ];
  return [
    say.warn(
      "unit-link",
      "gunicorn was started without --chdir or --pythonpath through the link: told to take a new release, it may load the old one",
      next,
    ),
  ];
}
