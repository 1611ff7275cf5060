"""Prints a script for a shell (bash, zsh or fish) that completes commands, flags and values.

The script lists the commands of the installed version; print it again after an update.
"""

from absl import flags

from z2i_tf.cli.commands import COMMANDS
from z2i_tf.cli.commands import GROUPS
from z2i_tf.errors import InputError

ARGUMENTS = ("SHELL",)


def define_flags(values: flags.FlagValues) -> None:
  del values  # The command has no flags.


def run(values: flags.FlagValues, shell: str) -> None:
  del values
  scripts = {"bash": _bash, "zsh": _zsh, "fish": _fish}
  if shell not in scripts:
    raise InputError(f"{shell}: no completion for this shell; give one of {', '.join(scripts)}")
  print(scripts[shell]({name: _flags_of(name) for name in COMMANDS}))


def _flags_of(command) -> list[flags.Flag]:
  _, values = COMMANDS[command].load()
  return [values[name] for name in values if values[name].name == name]  # Skips one-letter names.


def _words(defined) -> str:
  """Returns the flags as they are typed; those with a value end in "="."""
  return " ".join([*(f"--{flag.name}" + ("" if flag.boolean else "=") for flag in defined), "--flagfile=", "--help"])


def _choices(defined) -> dict[str, str]:
  return {flag.name: " ".join(flag.parser.enum_values) for flag in defined if hasattr(flag.parser, "enum_values")}


def _bash(commands) -> str:
  flag_cases = "\n".join(f'    {name}) words="{_words(defined)}" ;;' for name, defined in commands.items())
  value_cases = "\n".join(
    f'    {name}:--{flag}) words="{values}" ;;'
    for name, defined in commands.items()
    for flag, values in _choices(defined).items()
  )
  return f"""_z2i() {{
  local words="" current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(commands)}" -- "$current"))
    return
  fi
  if [ "$before" = "=" ] || [ "$current" = "=" ]; then  # Bash splits words at "=".
    local flag="$before"
    [ "$current" = "=" ] && current="" || flag="${{COMP_WORDS[COMP_CWORD-2]}}"
    case "${{COMP_WORDS[1]}}:$flag" in
{value_cases}
    esac
  elif [[ "$current" == -* ]]; then
    case "${{COMP_WORDS[1]}}" in
{flag_cases}
    esac
  fi
  [ -z "$words" ] && return  # Completes files instead.
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace
}}
complete -o default -F _z2i z2i"""


def _zsh(commands) -> str:
  described = "\n".join(f"      {_quoted(f'{name}:{COMMANDS[name].text}')}" for name in commands)
  flag_cases = "\n".join(f"    {name}) typed=({_words(defined)}) ;;" for name, defined in commands.items())
  value_cases = "\n".join(
    f"      {name}:--{flag}) choices=({values}) ;;"
    for name, defined in commands.items()
    for flag, values in _choices(defined).items()
  )
  return f"""#compdef z2i
_z2i() {{
  local -a commands choices typed
  local command="${{words[2]}}" flag="${{PREFIX%%=*}}"
  if (( CURRENT == 2 )); then
    commands=(
{described}
    )
    _describe command commands
    return
  fi
  if [[ "$PREFIX" == --*=* ]]; then
    case "$command:$flag" in
{value_cases}
    esac
    compset -P '*='
    if (( $#choices )); then compadd -a choices; else _files; fi
  elif [[ "$PREFIX" == -* ]]; then
    case "$command" in
{flag_cases}
    esac
    compadd -S '' -a typed
  else
    _files
  fi
}}
compdef _z2i z2i"""


def _fish(commands) -> str:
  lines = []
  for title, group in GROUPS.items():
    lines.append(f"# {title}")
    lines += [
      f"complete -c z2i -f -n __fish_use_subcommand -a {name} -d {_quoted(command.text)}"
      for name, command in group.items()
    ]
  for name, defined in commands.items():
    seen = f"complete -c z2i -n '__fish_seen_subcommand_from {name}'"
    for flag in defined:
      choices = _choices([flag]).get(flag.name)
      value = "" if flag.boolean else f" -x -a {_quoted(choices)}" if choices else " -r"
      short = f" -s {flag.short_name}" if flag.short_name else ""
      lines.append(f"{seen} -l {flag.name}{short}{value}")
    lines.append(f"{seen} -l flagfile -r")
  return "\n".join(lines)


def _quoted(text) -> str:
  """Returns the text as one word of any of these shells."""
  return "'" + text.replace("'", "’") + "'"
