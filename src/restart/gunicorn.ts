/**
 * A gunicorn master that nobody looks after, replaced by a second one.
 * Source: gunicorn's documentation, "Signal Handling", "Upgrading to a new binary on the fly".
 */
import type { Restart } from "../inventory/fleet.ts";
import type { RestartWay } from "../rotation/ports.ts";
import { anotherProcess } from "./pidfile.ts";

type Gunicorn = Extract<Restart, { via: "gunicorn" }>;

export function byGunicorn({ pidfile, bootWithin }: Gunicorn): RestartWay {
  const variables = { ROTA_PIDFILE: pidfile, ROTA_WITHIN: `${Math.ceil(bootWithin / 1000)}` };
  return {
    act: { run: secondMaster, variables },
    proof: {
      what: `a new gunicorn master in ${pidfile}`,
      look: { run: look, variables },
      unfit: (now) => whyUnfit(pidfile, now),
      judge: (before, now) => anotherProcess(processIn(before), processIn(now)),
    },
  };
}

const processIn = (line: string | undefined): string | undefined => line?.split(" ").slice(0, 2).join(" ");

function whyUnfit(pidfile: string, now: string | undefined): string | undefined {
  if (now === undefined)
    return `no process runs by the pid file ${pidfile}, and only one that runs can be told to load the app anew; start it on the node`;
  const [, , unit] = now.split(" ");
  return unit
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

/**
 * USR2, wait for as many ready workers as there were, TERM the first master. A worker is ready when it has touched the
 * unlinked file that it tells its master by: its mode is 0 or 1 then (gunicorn up to 21), or its time is that of a
 * clock that began at boot (from 22 on). A second master that is there already, left by a try that was cut off, is taken.
 */
const secondMaster = `next=$ROTA_PIDFILE.2
over=$(($(date +%s) + ROTA_WITHIN))
old=$(cat "$ROTA_PIDFILE")

runs() {
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  case \${stat##*) } in Z* | X*) return 1 ;; esac
}
# Prints one line for each worker of a master: ready, or not.
workers() {
  for worker in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    for file in "/proc/$worker/fd/"*; do
      case $(readlink "$file" 2>/dev/null) in *wgunicorn-*) ;; *) continue ;; esac
      set -- "$1" $(stat -L -c '%a %Y' "$file" 2>/dev/null) 600 0
      if [ "$2" -le 1 ] || { [ "$3" -gt 0 ] && [ "$3" -lt 1000000000 ]; }; then echo ready; else echo booting; fi
      break
    done
  done
}
give_up() {
  echo "$1; the first master, $old, runs on" >&2
  exit 1
}

runs "$old" || { echo "no process $old runs" >&2; exit 1; }
wanted=$(workers "$old" | wc -l)
[ "$wanted" -gt 0 ] || { echo "$old has no workers that can be seen: it is no gunicorn master, or it is another user's" >&2; exit 1; }
new=$(cat "$next" 2>/dev/null) && runs "$new" || { new=; kill -USR2 "$old"; }
until [ -n "$new" ] && runs "$new"; do
  [ "$(date +%s)" -lt "$over" ] || give_up "no second master within $ROTA_WITHIN s of USR2"
  sleep 0.1
  new=$(cat "$next" 2>/dev/null) || new=
done
echo "second master $new"
until [ "$(workers "$new" | grep -c ready)" -ge "$wanted" ]; do
  runs "$new" || give_up "the second master ended before its workers were ready; see gunicorn's error log"
  if [ "$(date +%s)" -ge "$over" ]; then
    kill -TERM "$new"
    give_up "its workers were not ready within $ROTA_WITHIN s"
  fi
  sleep 0.1
done
echo "its $wanted workers are ready; ending the first one, $old"
kill -TERM "$old"
while runs "$old"; do sleep 0.1; done`;
