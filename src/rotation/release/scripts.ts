/**
 * What is done about releases on a node: scripts that never change. All values reach them as variables; what they say for
 * rota begins with "rota-release: ". They need what every Linux has: a shell, flock, tar, ln, mv -T.
 *
 * A script whose connection was cut runs on. So whatever changes something has the lock first: the next one waits until
 * the one before has ended, and then finds its work done.
 */
import { namePattern } from "./release.ts";

const begin = `
say() { echo "rota-release: $*"; }
releases=$ROTA_TO/releases
target=$releases/$ROTA_NAME
`;

const lock = `
exec 9>"$releases/.lock"
flock 9
`;

/** Where things stand. Changes nothing. */
export const look = `${begin}
if [ -d "$target" ]; then say there; fi
if [ -L "$ROTA_TO/current" ]; then say current "$(readlink "$ROTA_TO/current")"
elif [ -e "$ROTA_TO/current" ]; then say folder; fi
if [ "$ROTA_TO/current" -ef "$target" ]; then say runs; fi
if [ -L "$ROTA_TO/previous" ]; then say previous "$(readlink "$ROTA_TO/previous")"; fi
if [ -L "$releases/.good" ] && [ -d "$releases/.good" ]; then say good "$(readlink "$releases/.good")"; fi
`;

/**
 * What is at its name is whole: it is unpacked beside it, and then renamed; then the upload goes. tar itself follows no link out of the folder
 * and refuses names that lead out of it; nobody's ids and no special rights are taken over from the archive.
 */
export const unpack = `${begin}
mkdir -p "$releases"
${lock}
if [ ! -d "$target" ]; then
  new=$releases/.new-$ROTA_NAME
  rm -rf -- "$new"
  mkdir -- "$new"
  tar -x --no-same-owner --no-same-permissions -f "$ROTA_UPLOAD" -C "$new" || {
    code=$?
    rm -rf -- "$new"
    exit "$code"
  }
  touch -- "$new"
  mv -T -- "$new" "$target"
fi
rm -f -- "$ROTA_UPLOAD"
`;

/**
 * The link is renamed over the one before: there is no moment without. \`previous\` keeps where that pointed to, for
 * people and for pruning.
 */
export const point = `${begin}
${lock}
case $ROTA_LINK in
/*) [ -d "$ROTA_LINK" ] || gone=yes ;;
*) [ -d "$ROTA_TO/$ROTA_LINK" ] || gone=yes ;;
esac
if [ "\${gone-}" ]; then
  say gone
  exit 1
fi
before=$(readlink "$ROTA_TO/current") || before=
if [ "$before" != "$ROTA_LINK" ]; then
  if [ "$before" ] && { [ -L "$ROTA_TO/previous" ] || [ ! -e "$ROTA_TO/previous" ]; }; then
    rm -f -- "$ROTA_TO/.previous.new"
    ln -s -- "$before" "$ROTA_TO/.previous.new"
    mv -T -- "$ROTA_TO/.previous.new" "$ROTA_TO/previous"
  fi
  rm -f -- "$ROTA_TO/.current.new"
  ln -s -- "$ROTA_LINK" "$ROTA_TO/.current.new"
  mv -T -- "$ROTA_TO/.current.new" "$ROTA_TO/current"
  touch -- "$ROTA_TO/current" || :
fi
`;

/**
 * Run where the node is well. The newest stay, and what was well before: \`.good\` leads to that, for \`previous\` may be one
 * that failed, and a rollback goes past it. One that goes is renamed first, so that no half of it is ever taken for a release; what lies in it
 * from another file system (a bind mount) stays, where rm knows how.
 */
export const prune = `${begin}
${lock}
one=
if rm --help 2>&1 | grep -q -e --one-file-system; then one=--one-file-system; fi
for left in "$releases"/.new-* "$releases"/.old-*; do
  if [ -d "$left" ]; then rm -rf $one -- "$left"; fi
done
LC_ALL=C
export LC_ALL
kept=0
cd "$releases"
ls -1t | { grep -E '${namePattern}' || :; } | while IFS= read -r name; do
  [ -d "$name" ] && [ ! -L "$name" ] || continue
  kept=$((kept + 1))
  if [ "$kept" -le "$ROTA_KEEP" ]; then continue; fi
  if [ "$name" -ef "$ROTA_TO/current" ] || [ "$name" -ef "$ROTA_TO/previous" ] || [ "$name" -ef .good ]; then continue; fi
  mv -T -- "$name" ".old-$name"
  rm -rf $one -- ".old-$name"
  say removed "$name"
done
ln -sfn -- "$ROTA_NAME" .good
`;

/** In which release a process lies, where that can be seen; of one that was removed, too. */
export const whereRuns = `${begin}
all=$(cd -P "$releases" && pwd -P) || exit 0
cwd=$(readlink "/proc/$ROTA_PID/cwd" 2>/dev/null) || exit 0
case $cwd in
"$all"/*)
  cwd=\${cwd#"$all"/}
  say runs "\${cwd%%/*}"
  ;;
esac
`;

/** Whether what a link would point to is there. Changes nothing. */
export const isThere = `
case $ROTA_LINK in
/*) [ -d "$ROTA_LINK" ] || exit 0 ;;
*) [ -d "$ROTA_TO/$ROTA_LINK" ] || exit 0 ;;
esac
echo "rota-release: there"
`;
