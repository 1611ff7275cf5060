"""Two thousand damaged files; `make fuzz N=100000` reads more."""

import numpy as np
import pytest

from tests.fuzz import __main__ as fuzz
from z2i_tf.errors import InputError


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_read_or_refused(tmp_path, capsys):
  found = fuzz.run(count=2000, seed=0, first=0, findings=str(tmp_path))
  printed = capsys.readouterr().out
  assert not found, printed[-3000:]
  assert "2000 inputs" in printed and " 0 broke a rule" in printed
  assert not any(f"{kind} 0 read" in printed for kind in ("image", "model", "network", "record", "shard"))


@pytest.mark.parametrize(
  "fault, message",
  [
    (lambda: 1 / 0, "ZeroDivisionError"),
    (lambda: np.ones(2**25).nbytes, "268 MB for an image of 0.0 MB"),
    (lambda: {}["x"], "KeyError"),
  ],
)
def test_what_breaks_a_rule_is_found(tmp_path, monkeypatch, capsys, fault, message):
  def read(name, content, folder, rng):
    del name, content, folder
    if rng.integers(2):
      raise InputError("one line")
    fault()
    return 0

  target = fuzz.Target({"a": b"seed"}, lambda content, rng: content, read)
  monkeypatch.setattr(fuzz, "_targets", lambda: dict.fromkeys(fuzz._SHARES, target))
  assert fuzz.run(count=6, seed=1, first=0, findings=str(tmp_path)) == len(list(tmp_path.iterdir())) > 0
  assert message in capsys.readouterr().out
