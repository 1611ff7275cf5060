"""A command keeps TensorFlow's lines off the terminal unless they are asked for."""

import os
import subprocess
import sys

import pytest

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_STAND_IN = "import os\nos.write(2, b'line of TensorFlow\\n')\n"


def _run(script, level=None, **variables):
  environment = {name: value for name, value in os.environ.items() if name != _LEVEL}
  environment.update(variables if level is None else {**variables, _LEVEL: level})
  return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("level, shown", [(None, ""), ("3", ""), ("0", "line of TensorFlow\ntraced again\n")])
def test_lines_while_tensorflow_is_loaded_and_used(tmp_path, level, shown):
  (tmp_path / "tensorflow.py").write_text(_STAND_IN)
  done = _run(
    "import os, sys\nsys.path.insert(0, os.environ['STAND_IN'])\n"
    "from z2i_tf.cli.main import main\nmain(['--version'])\nmain(['--version'])\nimport tensorflow\n"
    "import logging\nlogging.getLogger('tensorflow').warning('traced again')\n"
    f"os.write(2, b'after, ' + os.environ['{_LEVEL}'].encode())",
    level,
    STAND_IN=str(tmp_path),
  )
  assert done.returncode == 0 and done.stderr == f"{shown}after, {level or 3}"


def test_they_are_shown_if_it_cannot_be_loaded(tmp_path):
  (tmp_path / "tensorflow.py").write_text(_STAND_IN + "raise ImportError('damaged')")
  done = _run(
    "import os, sys\nsys.path.insert(0, os.environ['STAND_IN'])\nfrom z2i_tf.cli.main import main\n"
    "main(['--version'])\nimport tensorflow",
    STAND_IN=str(tmp_path),
  )
  assert done.returncode == 1 and done.stderr.startswith("line of TensorFlow\nTraceback")
  assert done.stderr.endswith("ImportError: damaged\n")


def test_a_command_prints_nothing_of_tensorflow():
  done = _run(
    "import sys\nfrom z2i_tf.cli.main import main\ncode = main(['doctor'])\n"
    "import tensorflow\ntensorflow.get_logger().warning('traced again')\nsys.exit(code)"
  )
  assert done.returncode == 0 and done.stderr == "", done.stderr
