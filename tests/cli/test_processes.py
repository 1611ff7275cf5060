"""Runs that are killed, told to stop, or spread over processes; in processes of their own."""

import json
import signal
import socket
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.training import stand_ins
from z2i_tf.cli.main import main
from z2i_tf.models import model_weights

_STEPS_OF_REST = 3
_COMMAND = [
  "pretrain",
  "--network=coarse",
  "--data_dir=data/images",
  "--width=4",
  "--crop_size=16",
  "--batch_size=4",
  "--mask_reference_size=64",
  "--perceptual_weights=none",
  "--learning_rates=1e-3",
  "--decay_fractions=",
  "--log_every=1",
  "--save_every=2",
  "--evaluate_every=1000",
]
_ENDLESS = ["--iterations=1000000"]
_AVERAGED = ["--ema_decay=0.9"]


@pytest.fixture(name="start")
def _start(forks):
  """Starts a run; eager, for runs of a few steps: tracing takes longer than they do."""

  def start(work_dir, *arguments, eager=True, worker=None, ports=()):
    environment = {}
    if worker is not None:
      cluster = {"worker": [f"localhost:{port}" for port in ports]}
      environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}})
    return forks.start([*_COMMAND, f"--work_dir={work_dir}", *arguments], eager, environment)

  return start


def _last_step(work_dir):
  """The newest checkpoint's step, 0 without one."""
  return max([int(path.stem.split("-")[1]) for path in (work_dir / "checkpoints").glob("ckpt-*.index")], default=0)


def _wait_for_step(work_dir, step, *processes):
  deadline = time.monotonic() + 300
  while _last_step(work_dir) < step:
    assert time.monotonic() < deadline and all(process.poll() is None for process in processes), [
      process.communicate() for process in processes if process.poll() is not None
    ]
    time.sleep(0.02)


def _end(process):
  output, error = process.communicate(timeout=120)
  return process.returncode, output, [line for line in error.splitlines() if not line.startswith(("WARNING", "I0000"))]


def _arrays(work_dir):
  return model_weights.read_model_file(str(work_dir))[0]


def _checkpoint(work_dir, step):
  """Returns every variable of a checkpoint, and its record."""
  reader = tf.train.load_checkpoint(str(work_dir / "checkpoints" / f"ckpt-{step}"))
  entries = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
  record = json.loads(entries["record/.ATTRIBUTES/py_state"])
  return {name: value for name, value in entries.items() if "VARIABLE_VALUE" in name}, record


def _free_ports(count):
  sockets = [socket.socket() for _ in range(count)]
  for one in sockets:
    one.bind(("localhost", 0))
  ports = [one.getsockname()[1] for one in sockets]
  for one in sockets:
    one.close()
  return ports


@pytest.mark.slow
@pytest.mark.usefixtures("eager_functions")
def test_killed_and_told_to_stop_ends_bit_for_bit_like_an_uninterrupted_run(start, tmp_path):
  run, whole = tmp_path / "run", tmp_path / "whole"
  killed = start(run, *_ENDLESS, *_AVERAGED)
  _wait_for_step(run, 2, killed)
  killed.kill()
  killed.communicate()
  at_kill = _last_step(run)
  told = start(run, *_ENDLESS, *_AVERAGED)
  _wait_for_step(run, at_kill + 2, told)
  told.terminate()
  code, output, errors = _end(told)
  stopped = model_weights.read_model_config(str(run))["step"]
  assert code == 128 + signal.SIGTERM and f"continuing from {run / 'checkpoints'}/ckpt-{at_kill}" in output
  assert "stopping" in errors[0]
  assert errors[1:] == [
    f"z2i pretrain: stopped by SIGTERM after step {stopped} of 1000000; everything is saved, "
    "and the same command continues"
  ]
  assert _last_step(run) == stopped
  # All that a run goes on with is what an uninterrupted one has: weights, optimizer, place in the data.
  assert main(_COMMAND + _AVERAGED + [f"--work_dir={whole}", f"--iterations={stopped}"]) == 0
  (variables, record), (expected, expected_record) = (_checkpoint(folder, stopped) for folder in (run, whole))
  assert record == expected_record and variables.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_array_equal(variables[name], value, err_msg=name)
  arrays = _arrays(run)
  for name, array in _arrays(whole).items():
    np.testing.assert_array_equal(arrays[name], array, err_msg=name)


@pytest.mark.slow
def test_three_workers_train_as_one_stop_together_and_two_continue(start, tmp_path):
  run, whole = tmp_path / "run", tmp_path / "whole"
  ports = _free_ports(8)
  shared = ["--batch_size=6"]
  workers = [start(run, *_ENDLESS, *shared, eager=False, worker=worker, ports=ports[:3]) for worker in range(3)]
  _wait_for_step(run, 4, *workers)
  for worker in workers:  # They pause, so that they do not train while the others start.
    worker.send_signal(signal.SIGSTOP)
  others = [start(run, *_ENDLESS, worker=worker, ports=ports[6:]) for worker in range(2)]
  for (code, _, errors), message in zip(
    map(_end, others), ("another run is training here", "the first worker cannot train there")
  ):
    assert code == 2 and len(errors) == 1 and message in errors[0], errors
  workers[0].kill()
  workers[0].communicate()
  for worker in workers[1:]:
    worker.send_signal(signal.SIGCONT)
  for code, output, errors in map(_end, workers[1:]):
    assert code == 2 and "3 replicas (CPU) on 3 workers" in output and "step " not in output  # The first one reports.
    assert len(errors) == 1 and "z2i pretrain: another worker ended (" in errors[0], errors
    assert "start all of them again: they continue from the last checkpoint" in errors[0]
  last = _last_step(run) + _STEPS_OF_REST
  workers = [start(run, f"--iterations={last}", *shared, worker=worker, ports=ports[3:5]) for worker in range(2)]
  for code, output, errors in map(_end, workers):
    assert (code, errors) == (0, []) and "continuing from" in output
  with stand_ins.eagerly():
    assert main(_COMMAND + shared + [f"--work_dir={whole}", f"--iterations={last}"]) == 0
  assert model_weights.read_model_config(str(run))["step"] == last
  # Adam turns differences of rounding into parts of the learning rate, 1e-3.
  arrays = _arrays(run)
  for name, array in _arrays(whole).items():
    np.testing.assert_allclose(arrays[name], array, rtol=1e-3, atol=1e-3 * last / 20, err_msg=name)


@pytest.mark.slow
def test_the_first_worker_notices_that_another_is_killed(start, tmp_path):
  run, ports = tmp_path / "run", _free_ports(2)
  workers = [start(run, *_ENDLESS, worker=worker, ports=ports) for worker in range(2)]
  _wait_for_step(run, 2, *workers)
  workers[1].kill()
  workers[1].communicate()
  code, output, errors = _end(workers[0])
  assert code == 2 and "2 replicas (CPU) on 2 workers" in output and "step 2/" in output
  assert len(errors) == 1 and "z2i pretrain: another worker ended (" in errors[0], errors


@pytest.mark.parametrize(
  "config, message",
  [
    ("no JSON", "expected JSON such as"),
    ('{"cluster": {"worker": ["localhost:1"]}}', "expected JSON such as"),
    ('{"cluster": {"worker": "localhost:1"}, "task": {"type": "worker", "index": 0}}', "expected JSON such as"),
    ('{"cluster": {"worker": [1]}, "task": {"type": "worker", "index": 0}}', "expected JSON such as"),
    ('{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0.7}}', "expected JSON such as"),
    (
      '{"cluster": {"worker": ["localhost:1"], "ps": ["localhost:2"]}, "task": {"type": "worker", "index": 0}}',
      "every task must be a chief or worker",
    ),
    ('{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 1}}', "this one of them"),
  ],
)
def test_an_unusable_cluster_gets_one_line(tmp_path, monkeypatch, capsys, config, message):
  from z2i_tf.training import devices

  monkeypatch.setattr(devices, "make_strategy", devices.make_strategy.__wrapped__)  # Of this process there is one.
  monkeypatch.setenv("TF_CONFIG", config)
  assert main(_COMMAND + [f"--work_dir={tmp_path / 'run'}", "--iterations=1"]) == 2
  error = capsys.readouterr().err
  assert "TF_CONFIG: " in error and message in error and error.count("\n") == 1
  assert not (tmp_path / "run").exists()
