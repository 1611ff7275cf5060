"""`z2i study` from the command line: preparing, going on, summing up, and what it refuses."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.study import stand_ins
from z2i_tf.analyses import record_schema
from z2i_tf.analyses import records
from z2i_tf.cli.main import main
from z2i_tf.study import store


@pytest.fixture(name="folders")
def _folders(tmp_path):
  return ",".join(f"{name}={folder}" for name, folder in stand_ins.write_results(tmp_path / "results").items())


def _start(*arguments):
  """Starts a server in a process of its own; returns it and its port."""
  process = subprocess.Popen(
    [sys.executable, "-m", "z2i_tf", "study", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
  )
  line = process.stdout.readline()
  found = re.search(r"http://127\.0\.0\.1:([0-9]+)/", line)
  assert found, (line, process.communicate())
  return process, int(found[1])


def _post(port, path, **fields):
  connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
  connection.request("POST", path, json.dumps(fields), {"Content-Type": "application/json"})
  answer = json.loads(connection.getresponse().read())
  connection.close()
  return answer


def test_a_study_is_prepared_served_ended_continued_and_summed_up(tmp_path, folders, capsys):
  study_dir = str(tmp_path / "study")
  settings = [
    f"--study_dir={study_dir}",
    f"--result_dir={folders}",
    f"--ours={stand_ins.OURS}",
    "--pairs=6",
    "--seed=4",
  ]
  process, port = _start(*settings, "--port=0")
  token = _post(port, "/api/join", name="anna")["token"]
  for position in range(3):
    assert _post(port, "/api/choice", token=token, position=position, choice="a")["answered"] == position + 1
  process.send_signal(signal.SIGTERM)
  output, errors = process.communicate(timeout=20)
  assert (process.returncode, errors) == (0, "")
  assert output.startswith("ended; saved: 3 choices, 1 participants; z2i study --study_dir=")
  process, port = _start(f"--study_dir={study_dir}", "--port=0")
  assert _post(port, "/api/progress", token=token)["answered"] == 3
  process.send_signal(signal.SIGINT)
  assert process.communicate(timeout=20)[0].startswith("ended; saved: 3 choices") and process.returncode == 0

  assert main(["study", "--summary", *settings]) == 0
  output = capsys.readouterr().out
  assert "anna: 3 of 6" in output and f"{study_dir}/study.json" in output
  record = records.read_record(f"{study_dir}/study.json")
  assert record_schema.problem_of(record) is None
  study = store.Store(study_dir)
  expected = [(study.manifest.pairs[pair], ours) for pair, ours in study.outcomes()]
  study.close()
  assert record["choices"] == 3 and "remark" not in record
  assert record["analysis"] == "study" and record["participants"] == 1 and set(record["kinds"]) == set(stand_ins.KINDS)
  for kind, by_opponent in record["kinds"].items():
    for opponent, count in by_opponent.items():
      of_pair = [ours for pair, ours in expected if (pair.kind, pair.opponent) == (kind, opponent)]
      assert count == {"ours": sum(of_pair), "other": len(of_pair) - sum(of_pair)}
  manifest = record["manifest"]["settings"]
  assert (manifest["question"], manifest["pairs"], manifest["methods"], manifest["seed"]) == (
    "Which of these images looks better?",
    6,
    list(stand_ins.METHODS),
    4,
  )
  kind, image = study.manifest.pairs[0].kind, study.manifest.pairs[0].image
  assert manifest["images"][stand_ins.OURS][kind][image] == records.sha256(
    f"{tmp_path}/results/{stand_ins.OURS}/{kind}/{image}.png"
  )
  text = (tmp_path / "study" / "study.json").read_text(), (tmp_path / "study" / "tables.md").read_text()
  assert "anna" not in "".join(text) and str(tmp_path) not in "".join(text)
  assert text[1].startswith(f"### Preference for {stand_ins.OURS}\n") and "### Counts" in text[1]


@pytest.fixture(name="study_dir", scope="module")
def _study_dir(tmp_path_factory):
  return stand_ins.make_study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--seed=5"], "--seed: the study in DIR was prepared with --seed=0; leave the flag out, or give another"),
    (["--pairs=300"], "prepared with --pairs=8"),
    (["--ours=pluralus"], "prepared with --ours=zoomulus"),
    (["--question=Why?"], "prepared with --question=Which is nicer?"),
    (["--mask_kinds=tinyholes"], "prepared with --mask_kinds=tinyholes,hugeholes"),
    (
      ["--result_dir=zoomulus=DIR/../zoomulus,hifillus=DIR/../hifillus"],
      "prepared with the methods zoomulus, hifillus, pluralus",
    ),
    (
      ["--result_dir=zoomulus=DIR/../zoomulus,hifillus=DIR/../pluralus,pluralus=DIR/../hifillus"],
      "prepared with other images",
    ),
    (["--port=3"], "--summary and --port: a summary serves nothing"),
  ],
)
def test_a_study_stays_what_it_is(study_dir, capsys, arguments, message):
  arguments = [argument.replace("DIR", study_dir) for argument in arguments]
  assert main(["study", f"--study_dir={study_dir}", "--summary", *arguments]) == 2
  error = capsys.readouterr().err
  assert message.replace("DIR", study_dir) in error and error.count("\n") == 1
  assert not os.path.exists(f"{study_dir}/study.json")


def test_the_same_settings_in_another_order_are_the_same(study_dir, capsys):
  folders = [f"{method}={study_dir}/../{method}" for method in reversed(stand_ins.METHODS)]
  assert (
    main(
      [
        "study",
        f"--study_dir={study_dir}",
        "--summary",
        f"--result_dir={','.join(folders)}",
        "--seed=0",
        "--pairs=8",
        "--mask_kinds=hugeholes,tinyholes",
        "--ours=zoomulus",
      ]
    )
    == 0
  )
  output = capsys.readouterr().out
  assert "Participants who chose: 0; with all pairs: 0." in output and "Nobody has chosen yet." in output
  record = records.read_record(f"{study_dir}/study.json")
  assert (record["choices"], record["remark"]) == (0, "Nobody has chosen yet.")
  with open(f"{study_dir}/tables.md", encoding="utf-8") as file:
    assert "Nobody has chosen yet." in file.read()
  os.unlink(f"{study_dir}/study.json")


@pytest.mark.parametrize(
  "arguments, message",
  [
    ([], "--result_dir is missing"),
    (["--result_dir=FOLDERS"], "--ours is missing"),
    (
      ["--result_dir=FOLDERS", "--ours=me"],
      "--ours=me: none of the methods in --result_dir (zoomulus, hifillus, pluralus)",
    ),
    (["--result_dir=FOLDERS", "--ours=zoomulus"], "--pairs=300: 150 of them would be of kind hugeholes, which has 8"),
    (["--result_dir=zoomulus", "--ours=zoomulus"], "--result_dir=zoomulus: expected NAME=PATH"),
    (["--result_dir=zoomulus=nowhere,b=nowhere", "--ours=zoomulus"], "nowhere: no such folder"),
    (["--result_dir=FOLDERS", "--ours=zoomulus", "--question= "], "--question: give one of 1 to 200 characters"),
    (["--result_dir=FOLDERS", "--ours=zoomulus", "--pairs=-1"], "flag --pairs=-1"),
    (["--result_dir=FOLDERS", "--ours=zoomulus", "--port=70000"], "flag --port=70000"),
    (["--summary"], "no study in it; z2i study --result_dir="),
  ],
)
def test_what_cannot_be_prepared_leaves_nothing(tmp_path, folders, capsys, arguments, message):
  study_dir = str(tmp_path / "study")
  arguments = [argument.replace("FOLDERS", folders) for argument in arguments]
  assert main(["study", f"--study_dir={study_dir}", *arguments]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1
  assert not os.path.exists(study_dir)


def test_the_study_folder_is_asked_for(capsys):
  assert main(["study"]) == 2
  assert capsys.readouterr().err.startswith("z2i study: --study_dir is missing")
