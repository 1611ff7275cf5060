"""Measures memory: free on the machine, free within a container's limit, and the peak of this process."""

from collections.abc import Iterator
import ctypes
import dataclasses
import os
import re
import sys

_M_ARENA_MAX = -8  # Of glibc's mallopt.
# A control group without a limit says "max" (version 2) or a number near 2**63 (version 1).
_UNLIMITED = 2**60


@dataclasses.dataclass(frozen=True)
class GroupMemory:
  """Memory of a control group (the limit of a container), in bytes.

  Attributes:
    limit: the most that its processes may take together.
    used: memory that they take now, without cached file content, which the kernel drops when memory gets short.
  """

  limit: int
  used: int

  @property
  def free(self) -> int:
    """Memory that its processes may still take, bytes."""
    return max(0, self.limit - self.used)


def machine_available_bytes() -> int:
  """Returns the memory that all programs together can still take without swapping, in bytes."""
  import psutil  # Imported late: the command line's help does not need it.

  return psutil.virtual_memory().available


def group_memory(root: str = "/") -> GroupMemory | None:
  """Returns the memory of the tightest control group: this process' own or one above it, of version 1 or 2.

  Args:
    root: the folder that holds "proc" and "sys".

  Returns:
    The group with the least free memory, or None if no group has a limit or the system has no control groups.
  """
  return min(_limited_groups(root), key=lambda group: group.free, default=None)


def peak_resident_bytes(root: str = "/") -> int | None:
  """Returns the peak resident memory of this process in bytes, or None on systems that do not record it.

  psutil reports no peak on Linux. /proc comes first: Linux' `getrusage` includes the peak of the parent process.
  """
  peak = _stated_bytes(os.path.join(root, "proc", "self", "status"), "VmHWM")
  if peak is not None:
    return peak
  try:
    import resource  # Not on Windows.
  except ImportError:
    return None
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def share_allocator() -> None:
  """Lets all threads that start later allocate from one arena of glibc; does nothing with other C libraries.

  By default every thread gets an arena, and an arena keeps the memory that its threads freed. A server of many
  threads would grow with each thread that has read a photograph.
  """
  if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "gnu_get_libc_version"):
    library.mallopt(_M_ARENA_MAX, 1)


def format_size(size: int) -> str:
  """Formats a number of bytes for people: "850 MB", "3.2 GB"."""
  return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _limited_groups(root: str) -> Iterator[GroupMemory]:
  """Yields this process' control groups that have a limit, innermost first."""
  mounted = os.path.join(root, "sys", "fs", "cgroup")
  for line in (_read(os.path.join(root, "proc", "self", "cgroup")) or "").splitlines():
    _, controllers, path = line.split(":", 2)
    if not controllers:  # Version 2; on machines with both, it is mounted in a folder of its own.
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

  A container may report its group's path on the host, and mount that group at the top.
  """
  parts = [part for part in path.split("/") if part]
  for count in range(len(parts), -1, -1):
    yield "/".join(parts[:count])


def _stated_bytes(path: str, name: str) -> int | None:
  """Returns the bytes that the line "name:  123 kB" of a file states, or None without such a line."""
  match = re.search(rf"^{name}:\s+(\d+) kB$", _read(path) or "", re.MULTILINE)
  return int(match[1]) * 1024 if match else None


def _read(path: str) -> str | None:
  """Returns a text file's content, or None if it cannot be read."""
  try:
    with open(path, encoding="utf-8", errors="replace") as file:
      return file.read()
  except OSError:
    return None
