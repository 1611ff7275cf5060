"""Reports the processor's usable cores, name and bfloat16 instructions."""

import os
import platform
import re

# As /proc/cpuinfo names them: x86's vector and matrix units, and ARM's.
_BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
_CPUINFO = "/proc/cpuinfo"


def usable_cores() -> int:
  """Returns the number of logical cores that this process may use, which may be fewer than the machine has."""
  return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_name(cpuinfo: str = _CPUINFO) -> str:
  """Returns the processor's name, or its architecture if the system does not state a name."""
  return _field(cpuinfo, "model name") or platform.processor() or platform.machine() or "of unknown make"


def bfloat16_instructions(cpuinfo: str = _CPUINFO) -> tuple[str, ...] | None:
  """Returns the processor's bfloat16 instruction sets by name, or None if the system does not list them."""
  listed = _field(cpuinfo, "flags|Features")
  return None if listed is None else tuple(name for name in _BFLOAT16_INSTRUCTIONS if name in listed.split())


def _field(path: str, names: str) -> str | None:
  """Returns the value of a file's first line "name : value", or None; `names` is a regular expression."""
  try:
    with open(path, encoding="utf-8", errors="replace") as file:
      match = re.search(rf"^(?:{names})[ \t]*:(.*)$", file.read(), re.MULTILINE)
  except OSError:
    return None
  return match and match[1].strip()
