"""Describes the machine on which a benchmark runs."""

import os


def print_load() -> None:
  """Prints cores and load average: how much else was running when the benchmark began."""
  loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
  print(f"{os.cpu_count()} cores; load average over 1, 5 and 15 minutes: {loads}", flush=True)
