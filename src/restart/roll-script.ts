/**
 * The script that runs a roll.py, given in $ROTA_ROLL. Only workers that tell their state say which release they run.
 *
 * @param words of the shell, for roll.py: what is rolled, and how
 * @param more lines that add to them
 */
export const rollWith = (words: string, more = ""): string => `set -- ${words} --json
${more}if [ "\${ROTA_RELEASE_DIR-}" ] && [ "$ROTA_NOTICE" = state ]; then
  set -- "$@" --expect-release "$(cd "$ROTA_RELEASE_DIR" && pwd -P)"
fi
old=\${ROTA_OLD-}
case $old in "" | /*) ;; *) old=\${ROTA_LINK%/*}/$old ;; esac
case \${ROTA_LINK-} in *=*) old= ;; esac
if [ "$old" ] && [ -L "$ROTA_LINK" ] && [ -d "$old" ] && [ ! "$ROTA_LINK" -ef "$old" ]; then
  set -- "$@" --rollback-link "$ROTA_LINK=$ROTA_OLD"
fi
exec python3 -c "$ROTA_ROLL" "$@"`;
