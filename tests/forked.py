"""Runs programs in processes that share one loading of TensorFlow: they are forked from one that did it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

# Between each process and the one that forks stands another, which waits for it and notes how it ended. A process runs
# its program as `python -c` does, up to the end of Python.
_FORKS = """
import json, os, sys, tempfile, warnings
import tensorflow
from z2i_tf.training import joint, pretrain
for line in sys.stdin:
  job = json.loads(line)
  waiting = os.fork()
  if waiting:
    continue
  process = os.fork()
  if not process:
    break
  print(process, flush=True)
  os.close(0)
  os.close(1)
  status = os.waitpid(process, 0)[1]
  with open(job["ending"] + ".new", "w") as file:
    file.write(str(os.waitstatus_to_exitcode(status)))
  os.rename(job["ending"] + ".new", job["ending"])
  os._exit(0)
else:
  os._exit(0)
os.chdir(job["folder"])
os.environ.update(job["environment"])
tempfile.tempdir = None
for number, path in enumerate((os.devnull, job["output"], job["errors"])):
  os.dup2(os.open(path, os.O_RDWR), number)
if job["eager"]:
  warnings.simplefilter("ignore", UserWarning)
  tensorflow.config.run_functions_eagerly(True)
sys.argv = ["-c", *job["arguments"]]
exec(job["program"])
"""
_COMMAND_LINE = "import runpy\nrunpy.run_module('z2i_tf', run_name='__main__', alter_sys=True)"


class ForkedProcess:
  """A running program, with the methods of `subprocess.Popen`."""

  def __init__(self, pid, output, errors, ending):
    self.pid, self.output, self.returncode = pid, output, None
    self._errors, self._ending = errors, ending

  def poll(self):
    if self.returncode is None and self._ending.exists():
      self.returncode = int(self._ending.read_text())
    return self.returncode

  def send_signal(self, number):
    if self.poll() is None:
      with contextlib.suppress(ProcessLookupError):  # It has ended; how is not noted yet.
        os.kill(self.pid, number)

  def kill(self):
    self.send_signal(signal.SIGKILL)

  def terminate(self):
    self.send_signal(signal.SIGTERM)

  def communicate(self, timeout=300):
    """Waits for the end; returns what was printed, and the errors."""
    deadline = time.monotonic() + timeout
    while self.poll() is None:
      if time.monotonic() > deadline:
        self.kill()
        raise TimeoutError(f"{self._errors.read_text()}\nstill running after {timeout} s")
      time.sleep(0.02)
    return self.output.read_text(), self._errors.read_text()


class Forks:
  """Starts such processes."""

  def __init__(self, folder):
    """Loads TensorFlow.

    Args:
      folder: empty, for what the processes print.
    """
    self._folder, self._started = folder, []
    self._source = subprocess.Popen(
      [sys.executable, "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

  def start(self, arguments, eager=False, environment=None, program=_COMMAND_LINE):
    """Starts a program.

    Args:
      arguments: of the program.
      eager: runs TensorFlow's functions without tracing, which takes longer than a few steps.
      environment: variables beside those that this process had when TensorFlow was loaded, and that TensorFlow does not
        read while it is loaded.
      program: its code.
    """
    number = len(self._started)
    output, errors, ending = (self._folder / f"{number}.{kind}" for kind in ("output", "errors", "ending"))
    output.touch()
    errors.touch()
    job = {
      "program": program,
      "folder": os.getcwd(),
      "arguments": arguments,
      "eager": eager,
      "environment": environment or {},
      "output": str(output),
      "errors": str(errors),
      "ending": str(ending),
    }
    print(json.dumps(job), file=self._source.stdin, flush=True)
    pid = self._source.stdout.readline()
    if not pid:
      raise RuntimeError("the process that forks has ended")
    self._started.append(ForkedProcess(int(pid), output, errors, ending))
    return self._started[-1]

  def close(self):
    """Ends what a failed test left running."""
    for process in self._started:
      process.kill()
    self._source.stdin.close()
    try:
      self._source.wait(timeout=60)
    except subprocess.TimeoutExpired:
      self._source.kill()
      raise
