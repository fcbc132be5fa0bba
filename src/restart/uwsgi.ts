/** A uWSGI whose workers are replaced, by the roll.py that is shipped for it. */
import { notYet, yes } from "../base/poll.ts";
import type { UwsgiRestart } from "../inventory/fleet-restart.ts";
import type { RestartWay } from "../rotation/restart-way.ts";
import { textOf } from "./node-files.ts";
import { readRoll } from "./roll-lines.ts";
import { rollWith } from "./roll-script.ts";

export function byUwsgi(restart: UwsgiRestart): RestartWay {
  const { stats, fifo, touch, how, spare, bootWithin, notice } = restart;
  const common = { ROTA_ROLL: textOf("uwsgi-roll"), ROTA_STATS: stats };
  return {
    act: {
      run: roll,
      variables: {
        ...common,
        ROTA_FIFO: fifo ?? "",
        ROTA_TOUCH: touch ?? "",
        ROTA_HOW: how,
        ROTA_SPARE: spare ? "yes" : "",
        ROTA_WITHIN: `${Math.ceil(bootWithin / 1000)}`,
        ROTA_NOTICE: notice,
      },
    },
    reader: readRoll,
    proof: {
      what: `the same uWSGI master at ${stats}`,
      look: { run: look, variables: common },
      pid: (now) => now.split(" ")[0],
      unfit: (now) =>
        now === undefined
          ? `nothing answers at ${stats} as uWSGI's stats server does, and only a uWSGI that runs can be told to load the app anew; see its stats =, and start it on the node`
          : undefined,
      // Loaded anew as a whole it is the same process too. That every worker is new is for the roll to see: it says so by exit code 0.
      judge: (before, now) => (before === now ? yes(undefined) : notYet(`it is ${now ?? "none"} now`)),
    },
  };
}

const roll = rollWith(
  `--stats "$ROTA_STATS" --how "$ROTA_HOW" --boot-within "$ROTA_WITHIN" --notice "$ROTA_NOTICE"`,
  `[ -z "$ROTA_FIFO" ] || set -- "$@" --fifo "$ROTA_FIFO"
[ -z "$ROTA_TOUCH" ] || set -- "$@" --touch "$ROTA_TOUCH"
[ -z "$ROTA_SPARE" ] || set -- "$@" --spare
`,
);

/** Prints the master's pid and its start time; nothing where no stats server answers. */
const look = `python3 -c "$ROTA_ROLL" --stats "$ROTA_STATS" --master || [ $? = 64 ]`;
