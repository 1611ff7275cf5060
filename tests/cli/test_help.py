"""Help, suggestions and completion of `z2i`: made of the table of commands."""

import io
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from z2i_tf.cli.commands import COMMANDS
from z2i_tf.cli.commands import GROUPS
from z2i_tf.cli.main import main

_EXAMPLES = [example for command in COMMANDS.values() for example in command.examples if example.startswith("z2i ")]


class _Terminal(io.StringIO):
  def isatty(self):
    return True


def test_commands_are_listed_in_groups_within_the_terminal(capsys, monkeypatch):
  for columns in (60, 80):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line in GROUPS] == list(GROUPS)
    assert [line.split()[0] for line in lines if line[:2] == "  " and line[2] != " "] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name, capsys, monkeypatch):
  monkeypatch.setenv("COLUMNS", "80")
  command = COMMANDS[name]
  assert main([name, "--help"]) == 0
  text = capsys.readouterr().out
  assert main(["help", name]) == 0 and capsys.readouterr().out == text
  examples = [f"  {example}" for example in command.examples]
  assert len(examples) == 2 and all(example in text.splitlines() for example in examples)
  assert max(len(line) for line in text.splitlines() if not line.lstrip().startswith("--")) <= 80
  flags_shown = [
    line.split("--", 1)[1].replace("[no]", "").split("=")[0].split()[0]
    for line in text.splitlines()
    if line.startswith(("  --", "  -o, --"))
  ]
  assert flags_shown[: len(command.required)] == list(command.required)
  _, values = command.load()
  assert sorted(flags_shown) == sorted({values[flag].name for flag in values})


@pytest.mark.parametrize(
  "name, heading, members",
  [
    ("inpaint", "Model", ["model", "native", "detail", "precision"]),
    ("train", "Masks", ["mask_kind", "train_mask_dir", "mask_reference_size"]),
    ("train", "Model", ["architecture", "zoom", "scale", "width", "sr_width", "discriminator_width"]),
    ("pretrain", "Model", ["width", "scale", "architecture"]),
    ("evaluate", "Test set", ["testset", "image_dir", "mask_dir"]),
    ("evaluate", "Methods", ["model", "result_dir", "baseline", "blend_results", "filling", "detail", "precision"]),
    ("complexity", "Model", ["model", "precision", "architecture", "zoom", "scale", "width", "sr_width"]),
  ],
)
def test_flags_of_one_subject_stand_under_one_heading(name, heading, members, capsys):
  assert main([name, "--help"]) == 0
  text = capsys.readouterr().out.split(f"\n{heading}\n")[1].split("\n\n")[0]
  assert re.findall(r"^  --(?:\[no\])?(\w+)", text, re.MULTILINE) == members


@pytest.mark.parametrize("name", COMMANDS)
def test_headings_name_flags_of_their_command(name):
  module, values = COMMANDS[name].load()
  names = [flag for members in getattr(module, "HEADINGS", {}).values() for flag in members]
  assert len(set(names)) == len(names) and all(flag in values for flag in names)


@pytest.mark.parametrize("example", _EXAMPLES)
def test_examples_are_command_lines(example):
  words = shlex.split(example.partition("  #")[0].partition(" > ")[0])[1:]
  command = COMMANDS[words[0]]
  module, values = command.load()
  if "--help" in words:
    return
  if hasattr(module, "PASSED_ON") and "--" in words:
    words = words[: words.index("--")]
  rest = values(words)[1:]
  expected, optional = (len(getattr(module, name, ())) for name in ("ARGUMENTS", "OPTIONAL_ARGUMENTS"))
  assert expected <= len(rest) <= expected + optional
  assert all(values[name].value for name in command.required)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.required])
def test_required_flags_are_required(name, capsys):
  assert main([name]) == 2
  error = capsys.readouterr().err
  assert any(f"--{flag} is missing" in error for flag in COMMANDS[name].required) and error.count("\n") == 1


def test_defaults_are_written_as_a_person_writes_them(capsys, monkeypatch):
  monkeypatch.setenv("COLUMNS", "120")
  main(["train", "--help"])
  text = " ".join(capsys.readouterr().out.split())
  assert "--[no]jit_compile" in text and "default: no)" in text and "default: small)" in text and "'small'" not in text


@pytest.mark.parametrize(
  "arguments, suggestion",
  [
    (["inpant"], "did you mean inpaint"),
    (["mask"], "masks"),
    (["inpaint", "--output-dir=a"], "--output_dir"),
    (["train", "--work_dri=a"], "--work_dir"),
  ],
)
def test_what_is_misspelled_is_suggested(arguments, suggestion, capsys):
  assert main(arguments) == 2
  error = capsys.readouterr().err
  assert suggestion in error and error.count("\n") == 1


def test_nothing_is_suggested_for_what_is_like_nothing(capsys):
  assert main(["xyzzy"]) == 2
  assert "did you mean" not in capsys.readouterr().err


def test_colours_are_for_terminals_that_want_them(monkeypatch):
  for is_terminal, no_color, is_coloured in ((True, "", True), (True, "1", False), (False, "", False)):
    out, error = (_Terminal() if is_terminal else io.StringIO() for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    main(["--help"])
    main(["xyzzy"])
    assert ("\033[" in out.getvalue()) is is_coloured and ("\033[" in error.getvalue()) is is_coloured


def _completion(shell, capsys):
  assert main(["completion", shell]) == 0
  return capsys.readouterr().out


def _completed_by_bash(script, words):
  """Returns what bash offers for the last word; it splits words at "="."""
  array = " ".join(map(shlex.quote, words))
  code = (
    f"{script}\nCOMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; compopt() {{ :; }}; _z2i; "
    "printf '%s\\n' \"${COMPREPLY[@]}\""
  )
  return subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_flags_and_choices(capsys):
  script = _completion("bash", capsys)
  assert _completed_by_bash(script, ["z2i", ""]) == list(COMMANDS)
  assert _completed_by_bash(script, ["z2i", "inp"]) == ["inpaint"]
  assert _completed_by_bash(script, ["z2i", "inpaint", "--det"]) == ["--detail="]
  assert _completed_by_bash(script, ["z2i", "inpaint", "--native"]) == ["--native"]
  assert _completed_by_bash(script, ["z2i", "inpaint", "--detail", "="]) == ["auto", "patches", "none"]
  assert _completed_by_bash(script, ["z2i", "inpaint", "--detail", "=", "pa"]) == ["patches"]
  assert not _completed_by_bash(script, ["z2i", "inpaint", "pho"])  # Then files.


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_script(shell, capsys):
  script = _completion(shell, capsys)
  for name in COMMANDS:
    assert name in script
  assert "detail" in script and "patches" in script
  if not shutil.which(shell):
    pytest.skip(f"{shell} is not installed: its script was made but not read by it")
  subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_an_unknown_shell_is_refused(capsys):
  assert main(["completion", "tcsh"]) == 2
  assert "bash, zsh, fish" in capsys.readouterr().err
