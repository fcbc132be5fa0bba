/** What is to be said of one HAProxy. Pure. */
import { sayDuration } from "../base/duration.ts";
import { RotaError } from "../base/errors.ts";
import type { BalancerFacts, Seen } from "./balancer-facts.ts";
import { type Finding, type Say, about } from "./findings.ts";
import { judgeVersion } from "./versions.ts";

export function judgeBalancer({ name, told, seen }: BalancerFacts, today: Date): Finding[] {
  const say = about("balancers", name);
  if (seen instanceof RotaError) {
    const code = seen.code === "BALANCER_RIGHTS" ? "balancer-level" : "balancer";
    return [
      say.bad(code, seen.message, seen.next ?? "see that HAProxy runs, and that its socket lets you in"),
    ];
  }
  const { uptime } = seen.info;
  const since = uptime === undefined ? "" : `; its worker began ${sayAge(uptime)} ago`;
  return [
    say.ok("balancer", `answers${since}`),
    judgeLevel(seen, told, say),
    judgeVersion(seen.info.version, today, say),
    ...judgeMaster(seen, say),
    ...judgeReload(seen, say),
    ...judgeStateFile(seen, say),
    ...judgeConfig(seen, say),
  ];
}

/** Roughly: so that balancers of the same age are told together. */
function sayAge(seconds: number): string {
  const [unit = 60] = [86_400, 3_600].filter((one) => seconds >= one);
  return seconds < 60 ? "less than a minute" : sayDuration(Math.floor(seconds / unit) * unit * 1_000);
}

function judgeLevel({ level }: Seen, told: boolean, say: Say): Finding {
  if (level === "admin") return say.ok("balancer-level", "its socket gives level admin");
  if (!told)
    return say.ok("balancer-level", `its socket gives level ${level}: enough, nodes leave by their own page`);
  return say.bad(
    "balancer-level",
    `its socket gives level ${level}, and draining needs admin`,
    'write "level admin" on its "stats socket" line in HAProxy\'s global section, and reload it',
  );
}

function judgeMaster({ master, environment, info }: Seen, say: Say): Finding[] {
  if (master === undefined) {
    if (environment && !environment.mastered) return [];
    const where = environment?.masterSocket?.replace(/^unix@/, "unix:");
    return [
      say.warn(
        "balancer-master",
        "the inventory names no master socket: requests that an old worker still has after a reload are not waited for",
        where === undefined
          ? "run HAProxy with -W -S /run/haproxy-master.sock, and name it: { socket: …, master: unix:/run/haproxy-master.sock }"
          : `name it in the inventory: { socket: …, master: ${where} }`,
      ),
    ];
  }
  if ("problem" in master)
    return [
      say.bad(
        "balancer-master",
        `its master socket can't be used: ${master.problem}`,
        "let whoever logs in write to it, or leave it out of the inventory",
      ),
    ];
  const old = master.workers.filter((pid) => pid !== info.pid);
  if (!master.workers.includes(info.pid))
    return [
      say.bad(
        "balancer-master",
        `its master socket is another HAProxy's: it knows nothing of the worker ${info.pid}`,
        "the master socket of this HAProxy in the inventory",
      ),
    ];
  return [
    say.ok("balancer-master", "its master socket answers"),
    ...(master.failedReloads === 0 ? [] : [judgeFailedReloads(master.failedReloads, say)]),
    ...(old.length === 0
      ? []
      : [
          say.warn(
            "balancer-old-workers",
            `${old.length} old worker${old.length === 1 ? "" : "s"} (${old.join(", ")}) still end what they have from before a reload: each drain waits for them`,
            '"hard-stop-after 5m" in HAProxy\'s global section bounds that',
          ),
        ]),
  ];
}

const judgeFailedReloads = (times: number, say: Say): Finding =>
  say.warn(
    "balancer-failed-reload",
    `its last ${times === 1 ? "reload has" : `${times} reloads have`} failed: it goes on with the configuration before, and the next start of it would fail`,
    "haproxy -c -f its configuration; mend what that names, then reload it",
  );

/** A master hands its listeners to the next worker by itself. */
function judgeReload({ environment, config, master }: Seen, say: Say): Finding[] {
  const mastered = environment?.mastered || (master !== undefined && "workers" in master);
  if (mastered) return [say.ok("balancer-reload", "a reload is seamless: it has a master process")];
  if (typeof config === "string") return [];
  if (config.exposesListeners)
    return [say.ok("balancer-reload", "a reload can be seamless: a socket has expose-fd listeners")];
  return [
    say.warn(
      "balancer-reload",
      "a reload may lose connections: no master process, no expose-fd listeners",
      'run it with -W (a master process), or with "expose-fd listeners" on a stats socket and -x at each reload',
    ),
  ];
}

function judgeStateFile({ config }: Seen, say: Say): Finding[] {
  if (typeof config === "string") return [];
  const next =
    'write server-state-file and "load-server-state-from-file global", and have each reload write "show servers state" to that file first';
  const forgets = [...config.backends].filter(([, { loadsStates }]) => !loadsStates).map(([name]) => name);
  if (config.statesKept && forgets.length === 0)
    return [
      say.ok("balancer-state-file", "a reload keeps what it was told, if it writes the state file first"),
    ];
  const where = config.statesKept && forgets.length < config.backends.size ? ` in ${forgets.join(", ")}` : "";
  return [
    say.warn(
      "balancer-state-file",
      `a reload forgets drain, maint and weights${where}: rota tells it again, and until then, some 0.1 s, requests reach a node that is out`,
      next,
    ),
  ];
}

function judgeConfig({ config }: Seen, say: Say): Finding[] {
  if (typeof config !== "string") return [];
  return [
    say.unseen(
      "balancer-config",
      `its configuration is not read (${config}): whether a reload keeps what it was told, how often it checks, option redispatch, option persist, slowstart, and whether persistence ends`,
      "run rota doctor on that machine, as somebody who may read it; or look there for what docs/doctor.md names",
    ),
  ];
}
