/** A gunicorn master that runs: replaced by a second one, or told to replace its workers. */
import { notYet, yes } from "../base/poll.ts";
import type { GunicornRestart } from "../inventory/fleet-restart.ts";
import type { RestartProof, RestartWay } from "../rotation/restart-way.ts";
import { textOf } from "./node-files.ts";
import { anotherProcess, firstWord } from "./pidfile.ts";
import { readRoll } from "./roll-lines.ts";
import { rollWith } from "./roll-script.ts";
import { secondMaster } from "./second-master.ts";

export function byGunicorn(restart: GunicornRestart): RestartWay {
  const { pidfile, how, surge, bootWithin, notice } = restart;
  const variables = { ROTA_PIDFILE: pidfile, ROTA_WITHIN: `${Math.ceil(bootWithin / 1000)}` };
  const proof = {
    look: { run: look, variables },
    unfit: (now?: string) => whyUnfit(pidfile, how, now),
  };
  if (how === "restart")
    return {
      act: { run: secondMaster, variables },
      proof: { ...proof, pid: firstWord, ...newMaster(pidfile) },
    };
  const rolling = {
    ...variables,
    ROTA_ROLL: textOf("gunicorn-roll"),
    ROTA_SURGE: `${surge}`,
    ROTA_NOTICE: notice,
  };
  return {
    act: { run: how === "hup" ? `${roll} --hup` : roll, variables: rolling },
    reader: readRoll,
    proof: { ...proof, ...sameMaster(pidfile) },
  };
}

/**
 * Whether every worker is new, and of this release, is for the roll to see: it says so by exit code 0. The master itself
 * works in the folder that it began in.
 */
const roll = rollWith(
  `"$ROTA_PIDFILE" --surge "$ROTA_SURGE" --boot-within "$ROTA_WITHIN" --notice "$ROTA_NOTICE"`,
);

const processIn = (line: string | undefined): string | undefined => line?.split(" ").slice(0, 2).join(" ");

const newMaster = (pidfile: string): Pick<RestartProof, "what" | "judge"> => ({
  what: `a new gunicorn master in ${pidfile}`,
  judge: (before, now) => anotherProcess(processIn(before), processIn(now)),
});

const sameMaster = (pidfile: string): Pick<RestartProof, "what" | "judge"> => ({
  what: `the same gunicorn master in ${pidfile}`,
  judge: (before, now) =>
    processIn(before) === processIn(now) ? yes(undefined) : notYet(`it is ${now ?? "none"} now`),
});

function whyUnfit(pidfile: string, how: GunicornRestart["how"], now: string | undefined): string | undefined {
  if (now === undefined)
    return `no process runs by the pid file ${pidfile}, and only one that runs can be told to load the app anew; start it on the node`;
  const [, , unit] = now.split(" ");
  return unit && how === "restart"
    ? `its gunicorn is the main process of the unit ${unit}, which systemd would end with it; write restart: { via: systemd, unit: ${unit} }`
    : undefined;
}

/** Prints the master's pid, its start time, and the systemd unit whose main process it is, if any. */
const look = `pid=$(cat "$ROTA_PIDFILE" 2>/dev/null) || exit 0
stat=$(cat "/proc/$pid/stat" 2>/dev/null) || exit 0
unit=$(sed -n 's|^[0-9]*:\\(name=systemd\\)*:.*/\\([^/]*\\.service\\)$|\\2|p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
[ -z "$unit" ] || [ "$(systemctl show -p MainPID --value -- "$unit" 2>/dev/null)" = "$pid" ] || unit=
set -- \${stat##*) }
printf '%s %s %s\\n' "$pid" "\${20}" "$unit"`;
