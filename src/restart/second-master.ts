/** Source: gunicorn's documentation, "Signal Handling", "Upgrading to a new binary on the fly". */

/**
 * USR2, wait for as many ready workers as there were, TERM the first master. A worker is ready when it has touched the
 * unlinked file that it tells its master by: its mode is 0 or 1 then (gunicorn up to 21), or its time is that of a
 * clock that began at boot (from 22 on). A second master that is there already, left by a try that was cut off, is taken.
 */
export const secondMaster = `next=$ROTA_PIDFILE.2
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
