import { UsageError } from "../../resource-name.ts";
import { exitCodes } from "../../session.ts";
import { localVerb } from "../../verb.ts";

/** The shells that have a script. */
const scripts = {
  bash: `# agentctl completion for bash. Load it with: source <(agentctl completion bash)
_agentctl() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") line
  COMPREPLY=()
  # bash cuts words at "=" and ":" as well; what stands before them is not repeated in an answer.
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [[ $current == "=" || ( $COMP_CWORD -gt 1 && \${COMP_WORDS[COMP_CWORD-1]} == "=" ) ]]; then
    words=(\${COMP_LINE:0:COMP_POINT})
    words=("\${words[@]:1}")
    [[ \${COMP_LINE:COMP_POINT-1:1} == " " ]] && words+=("")
  fi
  while IFS=$'\\t' read -r line _; do
    [[ $line == *=* && \${words[-1]} == *=* ]] && line=\${line#*=}
    COMPREPLY+=("$line")
  done < <(agentctl __complete -- "\${words[@]}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 1 && ( \${COMPREPLY[0]} == */ || \${COMPREPLY[0]} == *= ) ]] && compopt -o nospace
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _agentctl agentctl
`,
  zsh: `#compdef agentctl
# agentctl completion for zsh. Load it with: source <(agentctl completion zsh)
_agentctl() {
  local -a answers
  local line
  while IFS= read -r line; do
    # What stands behind the tab describes the word; a colon separates the two in zsh.
    answers+=("\${\${line%%$'\\t'*}//:/\\\\:}\${\${line#*$'\\t'}:+:\${line#*$'\\t'}}")
  done < <(agentctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#answers} )); then _describe 'agentctl' answers; else _files; fi
}
if [[ \${funcstack[1]} == _agentctl ]]; then _agentctl; else compdef _agentctl agentctl; fi
`,
  fish: `# agentctl completion for fish. Load it with: agentctl completion fish | source
function __agentctl_complete
    set -l words (commandline -opc)[2..-1]
    agentctl __complete -- $words (commandline -ct) 2>/dev/null
end
complete -c agentctl -f -a '(__agentctl_complete)'
complete -c agentctl -n '__fish_seen_argument -s f -l filename -l token-file -l ca-file' -F
`,
} as const;

const shells = Object.keys(scripts);

/** `agentctl completion SHELL`: a script that completes verbs, flags, kinds and the names of resources. */
export const completionVerb = localVerb({
  words: "<shell>",
  wordsText: shells.join(", "),
  details: "Names of jobs, tasks, workers and pools are completed where a server answers quickly.",
  examples: [
    "completion bash > ~/.local/share/bash-completion/completions/agentctl",
    'completion zsh > "${fpath[1]}/_agentctl"',
    "completion fish > ~/.config/fish/completions/agentctl.fish",
  ],
  flags: [],
  firstWords: shells,
  run(place, [shell = ""]) {
    if (!Object.hasOwn(scripts, shell))
      throw new UsageError(`there is no completion for "${shell}"; use ${shells.join(", ")}`);
    place.terminal.out(scripts[shell as keyof typeof scripts]);
    return Promise.resolve(exitCodes.done);
  },
});
