/** What a shell is told, once, so that it asks rota for words. Nothing that was typed is evaluated. */
import { RotaError } from "../base/errors.ts";
import { shown } from "../inventory/names.ts";
import { Exit, type ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";

// bash replaces only what follows the last of its word breaks (= and :, and @ with it), so what comes before is taken off again.
const bash = `# rota's completion for bash: source <(rota completion bash)
_rota() {
  local line=\${COMP_LINE:0:COMP_POINT} words current candidate start
  IFS=$' \\t\\n' read -ra words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  current=\${words[\${#words[@]} - 1]}
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    COMPREPLY+=("$candidate")
  done < <("\${words[0]/#\\~/$HOME}" complete -- "\${words[@]:1}" 2>/dev/null)
  start=\${current%"\${current##*["$COMP_WORDBREAKS"]}"}
  [[ $start != *@ ]] || start=\${start%?}
  COMPREPLY=("\${COMPREPLY[@]#"$start"}")
  [[ \${COMPREPLY[*]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -o default -F _rota rota`;

const zsh = `#compdef rota
# rota's completion for zsh: source <(rota completion zsh), after compinit; or as _rota in a folder of $fpath
_rota() {
  local line value
  local -a lines described open
  lines=("\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    value=\${line%%$'\\t'*}
    if [[ $value == *= ]]; then open+=("$value"); else described+=("\${value//:/\\\\:}:\${line#*$'\\t'}"); fi
  done
  (( $#described + $#open )) || { _files; return }
  (( ! $#described )) || _describe -t rota rota described
  (( ! $#open )) || compadd -S '' -- $open
}
if [[ $funcstack[1] == _rota ]]; then _rota "$@"; else compdef _rota rota; fi`;

const fish = `# rota's completion for fish: rota completion fish | source
function __rota_complete
  set -l words (commandline -opc)
  command $words[1] complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c rota -f -a '(__rota_complete)'
complete -c rota -s i -l inventory -r -F`;

export const shells = { bash, zsh, fish };

const isShell = (word: string): word is keyof typeof shells => Object.hasOwn(shells, word);

/** @throws RotaError USAGE for a shell that is none of the three */
export function completion(shell: string, io: Io): ExitCode {
  if (!isShell(shell))
    throw new RotaError("USAGE", {
      problem: `no completion for ${shown(shell)}, only for ${Object.keys(shells).join(", ")}`,
      left: "nothing was touched",
      next: "rota completion --help",
    });
  io.out(shells[shell]);
  return Exit.ok;
}
