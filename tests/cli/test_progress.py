"""How training shows its progress."""

import io
import sys

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


def test_elsewhere_there_are_lines(monkeypatch):
  stream = io.StringIO()
  monkeypatch.setattr(sys, "stdout", stream)
  with training_reporter(100) as reporter:
    reporter.begin(40)
    reporter.advance()
    reporter.show(44, 100, _SCALARS, 3661.0)
    reporter.say("a warning")
  assert stream.getvalue() == ("step 44/100  loss/generator 0.25  psnr/result 31.5  12.2 examples/s  ETA 1:01:01\n"
                               "a warning\n")
