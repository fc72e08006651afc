import { COMPLETE } from './answer.js';

export const shells = ['bash', 'zsh', 'fish', 'kubectl'] as const;
export type Shell = (typeof shells)[number];

const bash = `# bash completion of dr-syncer: source <(dr-syncer completion bash)
_dr_syncer() {
  local line quoted directive=4
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :* ]]; then
      directive=\${line#:}
    else
      printf -v quoted '%q' "\${line%%$'\\t'*}"
      COMPREPLY+=("$quoted")
    fi
  done < <("\${COMP_WORDS[0]}" ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ $directive == 0 ]]; then
    compopt -o default
    COMPREPLY=()
  fi
}
complete -F _dr_syncer dr-syncer
`;

const zsh = `#compdef dr-syncer
# zsh completion of dr-syncer: source <(dr-syncer completion zsh)
_dr_syncer() {
  local line directive=4
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :* ]]; then
      directive=\${line#:}
    elif [[ -n $line ]]; then
      candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}")
    fi
  done
  if [[ $directive == 0 ]]; then
    _files
  elif (( \${#candidates} )); then
    _describe 'dr-syncer' candidates
  fi
}
compdef _dr_syncer dr-syncer
`;

const fish = `# fish completion of dr-syncer: dr-syncer completion fish | source
function __dr_syncer_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l program $words[1]
  set -e words[1]
  for line in ($program ${COMPLETE} $words 2>/dev/null)
    if test "$line" = ':0'
      __fish_complete_path (commandline -ct)
    else if not string match -q ':*' -- $line
      echo $line
    end
  end
end
complete -c dr-syncer -f -a '(__dr_syncer_complete)'
`;

const kubectl = `#!/bin/sh
# Completion of "kubectl dr-syncer": put this into the PATH as kubectl_complete-dr_syncer, and let it be executed.
exec kubectl-dr_syncer ${COMPLETE} "$@"
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish, kubectl };
