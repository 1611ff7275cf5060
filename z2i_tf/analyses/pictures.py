"""The charts of an evaluation: the paper's Figures 6 and 13, and PSNR of comparisons and ablations."""

from collections.abc import Mapping
import os
from typing import Any

import numpy as np

from z2i_tf.analyses import charts
from z2i_tf.analyses import score_tables

_PSNR = {"PSNR": "psnr", "hole PSNR": "hole_psnr"}
_STRUCTURE = ("SSIM", "MS-SSIM")


def pictures_of(analysis: str, record: Mapping[str, Any], folder: str) -> list[str]:
  """Draws the charts of a record of z2i evaluate and returns their names.

  Args:
    analysis: comparison, ablation, frequency or scale_study.
    record: what was measured.
    folder: that the charts are put into, as PNG files.
  Returns: names of files; fewer, or none, where there is nothing to draw: one method has no improvement over the first,
    and methods without a scale have no place on an axis of scales.
  Raises: InputError if matplotlib is missing.
  """
  draw = {"comparison": _psnr, "ablation": _psnr, "frequency": _improvement, "scale_study": _over_scale}[analysis]
  return draw(analysis, record, folder)


def _psnr(analysis, record, folder) -> list[str]:
  """Bars of the mean PSNR, a group per test set."""
  sets, made = list(record["test_sets"]), []
  for metric, stem in _PSNR.items():
    series = {
      method: [score_tables.mean_of(record, test_set, method, metric).value for test_set in sets]
      for method in record["methods"]
    }
    if np.isfinite(list(series.values())).any():
      made.append(f"{analysis}_{stem}.png")
      charts.bar_chart(
        os.path.join(folder, made[-1]),
        f"Mean {metric}",
        [_on(record, test_set) for test_set in sets],
        series,
        f"{metric}, dB",
        "{:.2f}",
      )
  return made


def _improvement(analysis, record, folder) -> list[str]:
  """Figure 6: SSIM of each band minus that of the first method."""
  first, *others = record["methods"]
  made = []
  for test_set in record["test_sets"] if others else ():
    values = {
      method: np.array(
        [score_tables.mean_of(record, test_set, method, metric).value for metric, _ in score_tables.BANDS]
      )
      for method in record["methods"]
    }
    series = {method: list(values[method] - values[first]) for method in others}
    if np.isfinite(list(series.values())).any():  # Not so for images that are too small for SSIM.
      made.append(f"{analysis}_{test_set}.png")
      charts.bar_chart(
        os.path.join(folder, made[-1]),
        f"Improvement over {first}, {_on(record, test_set)}",
        [heading for _, heading in score_tables.BANDS],
        series,
        "SSIM minus that of the first",
        "{:+.4f}",
      )
  return made


def _over_scale(analysis, record, folder) -> list[str]:
  """Figure 13: SSIM and MS-SSIM over the scale; models of one scale lie above one another."""
  scaled = sorted(
    (method for method, entry in record["methods"].items() if "scale" in entry),
    key=lambda method: record["methods"][method]["scale"],
  )
  made = []
  for test_set in record["test_sets"] if scaled else ():
    series = {
      metric: [score_tables.mean_of(record, test_set, method, metric).value for method in scaled]
      for metric in _STRUCTURE
    }
    series = {metric: values for metric, values in series.items() if np.isfinite(values).any()}
    if series:
      made.append(f"{analysis}_{test_set}.png")
      charts.line_chart(
        os.path.join(folder, made[-1]),
        f"Scales, {_on(record, test_set)}",
        [record["methods"][method]["scale"] for method in scaled],
        series,
        "scale",
        ", ".join(series),
      )
  return made


def _on(record, test_set) -> str:
  return f"{test_set} masks ({len(record['test_sets'][test_set]['images'])} images)"
