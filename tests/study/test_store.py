"""Choices are kept: once each, over restarts, and when the process is killed."""

import collections
import concurrent.futures
import os
import sqlite3
import subprocess
import sys

import pytest

from z2i_tf.errors import InputError
from z2i_tf.study import pairs
from z2i_tf.study import store
from z2i_tf.study.manifest import StudyManifest

_PAIRS = tuple(pairs.Pair("small", f"i{number}", "other") for number in range(400))
_MANIFEST = StudyManifest("Which?", "ours", ("other",), ("small",), 0, 7, _PAIRS, {})


@pytest.fixture(name="study")
def _study(tmp_path):
  store.create(str(tmp_path), _MANIFEST)
  study = store.Store(str(tmp_path))
  yield study
  study.close()


def test_a_record_comes_back(study):
  assert study.manifest == _MANIFEST


def test_participants_have_their_own_order_and_come_back_by_name(study, tmp_path):
  anna = study.join("  Anna \t Lee")
  assert (anna.name, anna.answered, anna.total) == ("Anna Lee", 0, 400)
  ben = study.join("Ben")
  for progress, key in ((anna, "anna lee"), (ben, "ben")):
    expected = pairs.order_for(_PAIRS, key, 7)
    assert [study.showing(progress.token, position) for position in (0, 1, 399)] == [
      expected[0],
      expected[1],
      expected[399],
    ]
  study.choose(anna.token, 0, True)
  again = store.Store(str(tmp_path))
  assert again.join("anna LEE") == again.progress(anna.token) == store.Progress(anna.token, "Anna Lee", 1, 400)
  assert again.join("Ben").token == ben.token != anna.token
  assert [progress.name for progress in again.participants()] == ["Anna Lee", "Ben"]
  again.close()


@pytest.mark.parametrize("name", ["", " \t ", "x" * 101, "a\x00b"])
def test_names_must_be_names(study, name):
  with pytest.raises(InputError, match="Please give"):
    study.join(name)
  assert not study.participants()


def test_only_the_next_pair_can_be_answered(study):
  token = study.join("anna").token
  assert study.choose(token, 0, True).answered == 1
  for position in (0, 2, -1, 400, 10**30):
    with pytest.raises(store.NotNext):
      study.choose(token, position, False)
  showing = study.showing(token, 0)
  assert study.outcomes() == [(showing.pair, showing.ours_is_a)]  # The first answer, A, stands.
  with pytest.raises(store.UnknownParticipant):
    study.choose("nobody", 0, True)
  with pytest.raises(IndexError):
    study.showing(token, 400)


def test_of_answers_at_the_same_time_one_counts(study, tmp_path):
  other = store.Store(str(tmp_path))  # As of a second server.
  token = study.join("anna").token

  def choose(number):
    try:
      (study if number % 2 else other).choose(token, number // 8, bool(number % 3))
      return number // 8
    except store.NotNext:
      return None

  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    accepted = collections.Counter(threads.map(choose, range(40)))
  accepted.pop(None)
  assert accepted and set(accepted.values()) == {1} and sorted(accepted) == list(range(len(accepted)))
  assert study.progress(token).answered == len(accepted) == len(study.outcomes())
  other.close()


def test_nobody_comes_between_looking_and_storing(study, tmp_path, monkeypatch):
  """Another process may not change what a choice was judged by; it waits."""
  token = study.join("anna").token
  rival = sqlite3.connect(tmp_path / store.FILE_NAME, timeout=0, isolation_level=None)
  look, tries = study._progress, []

  def look_while_a_rival_tries(token):
    with pytest.raises(sqlite3.OperationalError, match="locked"):
      rival.execute("BEGIN IMMEDIATE")
    tries.append(token)
    return look(token)

  monkeypatch.setattr(study, "_progress", look_while_a_rival_tries)
  assert study.choose(token, 0, True).answered == len(tries) == 1
  rival.close()


def test_many_join_at_once(study):
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    joined = list(threads.map(lambda number: study.join(f"p{number % 5}"), range(20)))
  assert len({progress.token for progress in joined}) == len(study.participants()) == 5


def test_kill_loses_nothing_that_was_confirmed(study, tmp_path):
  token = study.join("anna").token
  script = (
    "import sys\nfrom z2i_tf.study.store import Store\n"
    "study = Store(sys.argv[1])\n"
    "for position in range(400):\n"
    "  study.choose(sys.argv[2], position, position % 3 == 0)\n"
    "  print(position, flush=True)\n"
  )
  process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), token], stdout=subprocess.PIPE, text=True)
  confirmed = [int(process.stdout.readline()) for _ in range(20)][-1]
  process.kill()
  confirmed = max([confirmed, *(int(line) for line in process.stdout if line.endswith("\n"))])
  process.wait()
  # What was asked for just before may, or may not, have been stored.
  assert confirmed + 1 <= study.progress(token).answered <= confirmed + 2
  for position, (pair, prefers_ours) in enumerate(study.outcomes()):
    showing = study.showing(token, position)
    assert (pair, prefers_ours) == (showing.pair, showing.ours_is_a == (position % 3 == 0))
  study.choose(token, study.progress(token).answered, True)


def test_a_choice_is_on_the_disk_before_it_is_confirmed(study, tmp_path):
  token = study.join("anna").token
  study.choose(token, 0, True)
  reader = sqlite3.connect(f"file:{tmp_path / store.FILE_NAME}?mode=ro", uri=True)
  assert reader.execute("SELECT position, chose_a FROM choices").fetchall() == [(0, 1)]
  reader.close()
  assert os.listdir(tmp_path) == [store.FILE_NAME]  # No journal is left to be merged.


def test_folders_without_a_study(tmp_path):
  assert not store.exists(str(tmp_path))
  with pytest.raises(InputError, match="no study in it; z2i study `result_dir`="):
    store.Store(str(tmp_path))
  (tmp_path / store.FILE_NAME).write_bytes(b"")  # A preparation was killed.
  assert not store.exists(str(tmp_path))
  (tmp_path / store.FILE_NAME).write_text("no database at all " * 100)
  with pytest.raises(InputError, match="study.sqlite: cannot be opened: file is not a database"):
    store.exists(str(tmp_path))


def test_a_study_is_made_once(study, tmp_path):
  with pytest.raises(InputError, match="a study cannot be made here: table study already exists"):
    store.create(str(tmp_path), _MANIFEST)
  assert study.manifest == _MANIFEST


def test_a_study_of_another_version_is_refused(study, tmp_path):
  connection = sqlite3.connect(tmp_path / store.FILE_NAME)
  with connection:
    connection.execute("UPDATE study SET record = replace(record, 'study 1', 'study 2')")
  connection.close()
  with pytest.raises(InputError, match="another version of the format than 'z2i_tf study 1'"):
    store.Store(str(tmp_path))
  del study
