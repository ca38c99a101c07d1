export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

type Script = (name: string, invocation: string) => string

/**
 * Each asks the program itself, so that a script never goes out of date. It asks whatever was typed as the command: a
 * path as well as a name.
 */
export const scripts: Readonly<Record<Shell, Script>> = { bash, zsh, fish }

/** Words that end with a slash are not finished: no space follows. */
function bash(name: string, invocation: string): string {
  return `# bash completion of ${name}
_${name}_complete() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" line
  local -a words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # bash divides words at : and =, which keys may have
  if declare -F _get_comp_words_by_ref > /dev/null; then
    local -a whole; local at
    _get_comp_words_by_ref -n := -c cur -w whole -i at
    words=("\${whole[@]:1:at}")
  fi
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
    ${invocation} __complete -- "\${words[@]}" 2> /dev/null
  )
  if [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == */ ]]; then compopt -o nospace 2> /dev/null; fi
  if declare -F __ltrim_colon_completions > /dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -o bashdefault -o default -F _${name}_complete ${name}
`
}

function zsh(name: string, invocation: string): string {
  return `#compdef ${name}
_${name}() {
  local -a found folders
  local line
  for line in "\${(@f)$(${invocation} __complete -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
    [[ -z "$line" ]] && continue
    if [[ "$line" == */ ]]; then folders+=("$line"); else found+=("$line"); fi
  done
  if (( \${#found} + \${#folders} == 0 )); then _files; return; fi
  (( \${#found} )) && compadd -- "\${found[@]}"
  (( \${#folders} )) && compadd -S '' -- "\${folders[@]}"
}
if [[ "\${funcstack[1]}" == "_${name}" ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`
}

function fish(name: string, invocation: string): string {
  return `# fish completion of ${name}
function __${name}_complete
  set -l words (commandline -opc) (commandline -ct)
  ${invocation} __complete -- $words[2..-1] 2> /dev/null
end
complete -c ${name} -f -n 'test -n "$(__${name}_complete)"' -a '(__${name}_complete)'
`
}
