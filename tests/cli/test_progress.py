"""How training shows its progress."""

import io
import sys

from z2i_tf.cli import progress as progress_module
from z2i_tf.cli.progress import progress
from z2i_tf.cli.progress import training_reporter

_SCALARS = {"loss/generator": 0.25, "loss/l1_sr": 0.125, "psnr/result": 31.5, "speed/examples_per_second": 12.25}


class _Terminal(io.StringIO):
  def isatty(self):
    return True


def test_a_terminal_gets_a_bar_with_the_time_left(monkeypatch):
  terminal = _Terminal()
  monkeypatch.setattr(sys, "stdout", terminal)
  with training_reporter(100) as reporter:
    reporter.begin(40)
    for _ in range(41, 45):
      reporter.advance()
    reporter.show(44, 100, _SCALARS, 61.0)
    reporter.say("step 44  validation/psnr/result 30")
  shown = terminal.getvalue()
  assert "44/100" in shown and "44%" in shown and "<" in shown  # tqdm: elapsed<left
  assert "psnr/result 31.5  12.2 examples/s" in shown and "loss/l1_sr" not in shown
  assert "\nstep 44  validation/psnr/result 30\n" in shown.replace("\r", "\n")


def test_what_is_printed_is_not_glued_to_a_bar(monkeypatch):
  terminal, errors = _Terminal(), _Terminal()
  errors.write = terminal.write  # One screen.
  monkeypatch.setattr(sys, "stdout", terminal)
  monkeypatch.setattr(sys, "stderr", errors)
  monkeypatch.setattr(progress_module, "_SECONDS_BEFORE_BAR", 0)
  with progress(3, "image") as advance:
    for number in range(3):
      advance()
      print(f"plan {number}")
      print(f"skipped {number}", file=sys.stderr)
  lines = terminal.getvalue().replace("\r", "\n").splitlines()
  assert [line for line in lines if line.startswith(("plan", "skipped"))] == [
    f"{word} {number}" for number in range(3) for word in ("plan", "skipped")
  ]
  assert any("3/3" in line for line in lines)
  assert sys.stdout is terminal and sys.stderr is errors


def test_there_is_no_bar_elsewhere(monkeypatch):
  stream = io.StringIO()
  monkeypatch.setattr(sys, "stderr", stream)
  monkeypatch.setattr(progress_module, "_SECONDS_BEFORE_BAR", 0)
  with progress(2, "image") as advance:
    advance()
    advance()
  assert not stream.getvalue()


def test_elsewhere_there_are_lines(monkeypatch):
  stream = io.StringIO()
  monkeypatch.setattr(sys, "stdout", stream)
  with training_reporter(100) as reporter:
    reporter.begin(40)
    reporter.advance()
    reporter.show(44, 100, _SCALARS, 3661.0)
    reporter.say("a warning")
  assert stream.getvalue() == (
    "step 44/100  loss/generator 0.25  psnr/result 31.5  12.2 examples/s  ETA 1:01:01\na warning\n"
  )
