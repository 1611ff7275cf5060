"""How much memory there is, and the most that this process took.

What is found out comes from Linux' /proc and control groups (a container's limit); elsewhere the functions say
None, and nothing is guessed.
"""

from collections.abc import Iterator
import dataclasses
import os
import re
import sys

# A control group without a limit says "max" (version 2) or a number near 2**63 (version 1).
_UNLIMITED = 2**60


@dataclasses.dataclass(frozen=True)
class GroupMemory:
  """What a control group leaves its processes, bytes.

  Attributes:
    limit: what they may take together.
    used: what they take, without the cached file content that the kernel drops when memory gets short.
  """

  limit: int
  used: int

  @property
  def free(self) -> int:
    return max(0, self.limit - self.used)


def machine_available_bytes(root: str = "/") -> int | None:
  """Returns what programs can take without swapping, all of them together, bytes; None where it is not told."""
  return _kilobytes(os.path.join(root, "proc", "meminfo"), "MemAvailable")


def group_memory(root: str = "/") -> GroupMemory | None:
  """Returns the memory of the control group with the least left, of this process' group and those above it.

  Both versions of control groups are looked at. Returns None without limit, and where there are no such groups.
  """
  return min(_limited_groups(root), key=lambda group: group.free, default=None)


def peak_resident_bytes(root: str = "/") -> int | None:
  """Returns the most memory this process ever had, bytes; None where the system does not tell it.

  /proc is asked first: `getrusage` counts on Linux what the process that started this one had.
  """
  peak = _kilobytes(os.path.join(root, "proc", "self", "status"), "VmHWM")
  if peak is not None:
    return peak
  try:
    import resource  # Not on Windows.
  except ImportError:
    return None
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def format_size(size: int) -> str:
  """Returns bytes as people read them: "850 MB", "3.2 GB"."""
  return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _limited_groups(root: str) -> Iterator[GroupMemory]:
  """Yields those of this process' control groups, innermost first, that have a limit."""
  mounted = os.path.join(root, "sys", "fs", "cgroup")
  for line in (_read(os.path.join(root, "proc", "self", "cgroup")) or "").splitlines():
    _, controllers, path = line.split(":", 2)
    if not controllers:  # Version 2; beside version 1 it is mounted in a folder of its own.
      files = (["", "unified"], "memory.max", "memory.current", "inactive_file")
    elif "memory" in controllers.split(","):
      files = (["memory"], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    else:
      continue
    mounts, limit_file, usage_file, cached = files
    for mount in mounts:
      for group in _upwards(path):
        folder = os.path.join(mounted, mount, group)
        limit, usage = (_read(os.path.join(folder, name)) for name in (limit_file, usage_file))
        if limit and usage and limit.strip() != "max" and int(limit) < _UNLIMITED:
          dropped = re.search(rf"^{cached} (\d+)$", _read(os.path.join(folder, "memory.stat")) or "", re.MULTILINE)
          yield GroupMemory(int(limit), max(0, int(usage) - (int(dropped[1]) if dropped else 0)))


def _upwards(path: str) -> Iterator[str]:
  """Yields "a/b", "a" and "" for "/a/b".

  In a container the path may be the one outside, of which only the end, mounted at the top, is to be seen.
  """
  parts = [part for part in path.split("/") if part]
  for count in range(len(parts), -1, -1):
    yield "/".join(parts[:count])


def _kilobytes(path: str, name: str) -> int | None:
  """Returns the bytes of a line "name:  123 kB"."""
  match = re.search(rf"^{name}:\s+(\d+) kB$", _read(path) or "", re.MULTILINE)
  return int(match[1]) * 1024 if match else None


def _read(path: str) -> str | None:
  """Returns a text file's content, or None where there is none to read."""
  try:
    with open(path, encoding="utf-8", errors="replace") as file:
      return file.read()
  except OSError:
    return None
