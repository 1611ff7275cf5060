"""`z2i app` from the command line: it serves until a signal, and says what it cannot do."""

import http.client
import json
import re
import signal
import socket
import tempfile
import time

import pytest

from tests.app import stand_ins
from z2i_tf.cli.main import main


def test_it_serves_until_a_signal_and_leaves_nothing(forks, tmp_path):
  """Even in the middle of a fill. (tests/system/test_preemption.py has the other signals.)"""
  process = forks.start(["app", "--port=0"], environment={"TMPDIR": str(tmp_path)})
  while not (line := process.output.read_text()):
    assert process.poll() is None, process.communicate()
    time.sleep(0.02)
  found = re.fullmatch(r"z2i app: http://127\.0\.0\.1:([0-9]+)/ \(on this machine only; Ctrl-C ends\)\n", line)
  assert found, line
  port = int(found[1])
  photo = stand_ins.open_photo(port, stand_ins.png(stand_ins.picture(1500, 1500)))
  connection = http.client.HTTPConnection(stand_ins.HOST, port, timeout=60)
  connection.request(
    "POST",
    f"/api/v1/sessions/{photo['id']}/fills",
    json.dumps({"version": 0, "shapes": [{"kind": "rectangle", "points": [[200, 200], [1300, 1300]]}]}),
    stand_ins.JSON,
  )
  answer = connection.getresponse()
  assert answer.readline()
  process.send_signal(signal.SIGTERM)
  output, errors = process.communicate(timeout=60)
  assert (process.returncode, output, errors) == (0, line, "")
  assert json.loads(answer.read().splitlines()[-1]) == {"cancelled": True}
  assert not list(tmp_path.iterdir()) and tempfile.gettempdir() != str(tmp_path)


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--host=0.0.0.0"], "--host=0.0.0.0 lets other machines in: give --token too, a secret of at least 16 characters"),
    (["--token=short"], "--token: give at least 16 characters"),
    (["--host=no.such.host.invalid", "--token=" + "x" * 16], "--host=no.such.host.invalid: not an address"),
    (["--host=203.0.113.7", "--token=" + "x" * 16], "cannot be used on 203.0.113.7"),
    (["--port=70000"], "flag --port=70000"),
    (["--host=" + "x" * 64, "--token=" + "x" * 16], "x: not an address of this machine"),
    (["--max_sessions=0"], "flag --max_sessions=0"),
    (["--max_sessions=100000"], "flag --max_sessions=100000"),
    (["--max_pixels=-3"], "flag --max_pixels=-3"),
    (["--model=nowhere", "--port=0"], "--model=nowhere: no such folder"),
    (["photo.jpg"], "unexpected argument 'photo.jpg'"),
  ],
)
def test_what_it_cannot_do_is_one_line(capsys, arguments, message):
  assert main(["app", *arguments]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1


def test_a_port_that_is_taken(capsys):
  with socket.create_server(("127.0.0.1", 0)) as taken:
    port = taken.getsockname()[1]
    assert main(["app", f"--port={port}"]) == 2
  assert f"--port={port}: cannot be used on 127.0.0.1" in capsys.readouterr().err
