"""Memory that is left and taken; the processor."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from z2i_tf.system import memory
from z2i_tf.system import processor


def _machine(folder, files):
  """Makes a root with the files; returns its path."""
  for path, text in files.items():
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
  return str(folder)


def _group(folder, limit, usage, cached, version):
  """The files of a control group."""
  names = (
    ("memory.max", "memory.current", "inactive_file")
    if version == 2
    else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
  )
  return {
    f"sys/fs/cgroup/{folder}{names[0]}": f"{limit}\n",
    f"sys/fs/cgroup/{folder}{names[1]}": f"{usage}\n",
    f"sys/fs/cgroup/{folder}memory.stat": f"anon 7\n{names[2]} {cached}\nother_{names[2]} 1\n",
  }


@pytest.mark.parametrize(
  "cgroup, groups, limit, free",
  [
    ("", {}, None, None),
    ("0::/\n", _group("", 500_000, 200_000, 50_000, 2), 500_000, 350_000),
    ("0::/\n", _group("", 9_000_000, 200_000, 0, 2), 9_000_000, 8_800_000),
    ("0::/\n", _group("", 500_000, 600_000, 0, 2), 500_000, 0),
    ("0::/\n", _group("", "max", 200_000, 0, 2), None, None),
    # A limit further up counts, and beside version 1, version 2 has a folder of its own.
    ("0::/a/b\n", {**_group("a/b/", "max", 1, 0, 2), **_group("a/", 400_000, 100_000, 0, 2)}, 400_000, 300_000),
    ("0::/a\n", _group("unified/a/", 400_000, 100_000, 0, 2), 400_000, 300_000),
    ("4:cpu,memory:/x\n0::/\n", _group("memory/x/", 300_000, 100_000, 20_000, 1), 300_000, 220_000),
    # A container sees its own group at the top, under the name that it has outside.
    ("4:memory:/docker/1\n", _group("memory/", 300_000, 100_000, 0, 1), 300_000, 200_000),
    ("4:memory:/\n", _group("memory/", 2**63 - 4096, 100_000, 0, 1), None, None),
  ],
)
def test_the_tightest_control_group_counts(tmp_path, cgroup, groups, limit, free):
  root = _machine(tmp_path, {"proc/self/cgroup": cgroup, **groups})
  group = memory.group_memory(root)
  assert (group and group.limit) == limit
  assert (group and group.free) == free


def test_what_the_system_does_not_tell_is_none(tmp_path):
  root = str(tmp_path)
  assert memory.group_memory(root) is None
  assert memory.peak_resident_bytes(root) > 1e6  # From getrusage.


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux' /proc")
def test_the_peak_is_that_of_the_process_alone():
  block = np.ones(64 * 2**20, np.uint8)
  script = "from z2i_tf.system import memory; print(memory.peak_resident_bytes())"
  done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
  assert 1e6 < int(done.stdout) < block.nbytes


def test_the_machine_tells_its_free_memory():
  assert 1e6 < memory.machine_available_bytes() < 1e15


def test_sizes_are_written_in_two_units():
  assert [memory.format_size(size) for size in (850_400_000, 3_249_000_000)] == ["850 MB", "3.2 GB"]


@pytest.mark.parametrize(
  "text, name, instructions",
  [
    (
      "processor : 0\nmodel name\t: Example 9\nflags\t\t: fpu avx512_bf16 amx_bf16 x\n\nmodel name\t: Other\n",
      "Example 9",
      ("avx512_bf16", "amx_bf16"),
    ),
    ("model name : Old\nflags : fpu avx2\n", "Old", ()),
    ("Features\t: fp asimd bf16\n", None, ("bf16",)),
    (None, None, None),
  ],
)
def test_the_processor_names_itself_and_its_instructions(tmp_path, text, name, instructions):
  path = tmp_path / "cpuinfo"
  if text is not None:
    path.write_text(text)
  assert processor.model_name(str(path)) and name in (None, processor.model_name(str(path)))
  assert processor.bfloat16_instructions(str(path)) == instructions
  assert processor.usable_cores() >= 1


_THREADS_ALLOCATE = """
import concurrent.futures, ctypes, sys, threading
from z2i_tf.system import memory
if sys.argv[1] == "shared":
  memory.share_allocator()
together = threading.Barrier(4)
def allocate(_):
  together.wait()
  bytearray(50_000)
  together.wait()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
  list(pool.map(allocate, range(4)))
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
@pytest.mark.parametrize("kind, is_one", [("shared", True), ("usual", False)])
def test_threads_share_one_arena(kind, is_one):
  result = subprocess.run([sys.executable, "-c", _THREADS_ALLOCATE, kind], capture_output=True, text=True, check=True)
  assert ("Arena 1:" not in result.stderr) == is_one and "Arena 0:" in result.stderr
