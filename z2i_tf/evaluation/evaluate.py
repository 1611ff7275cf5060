"""Scores inpainting methods on a set of images and masks."""

from typing import Callable, Dict, Iterable, List, Mapping, Tuple

import numpy as np

from z2i_tf.evaluation import metrics

# (image (H, W, 3) uint8, mask (H, W) uint8 1 = hole) -> (H, W, 3) uint8.
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
METRICS = {"PSNR": metrics.psnr, "SSIM": metrics.ssim, "L1": metrics.l1_error}


def evaluate(methods: Mapping[str, Method],
             examples: Iterable[Tuple[np.ndarray, np.ndarray]]) -> Dict[str, Dict[str, float]]:
  """Runs every method on every example and scores its 8-bit result over the whole image.

  The methods see the image with its hole set to 0, never the original under it.

  Args:
    methods: by name.
    examples: originals (H, W, 3) uint8 and masks (H, W) uint8, 1 = hole.
  Returns: method -> metric -> mean over the examples.
  """
  scores: Dict[str, List[Dict[str, float]]] = {name: [] for name in methods}
  for image, mask in examples:
    masked = image * (1 - mask[..., np.newaxis])
    for name, method in methods.items():
      scores[name].append(score(method(masked, mask), image))
  return {name: {metric: float(np.mean([row[metric] for row in rows])) for metric in METRICS}
          for name, rows in scores.items()}


def score(result: np.ndarray, original: np.ndarray) -> Dict[str, float]:
  """Returns each of `METRICS` for one (H, W, 3) uint8 result."""
  pair = [image[np.newaxis].astype(np.float32) / 255.0 for image in (result, original)]
  return {name: float(metric(*pair)[0]) for name, metric in METRICS.items()}


def format_table(title: str, table: Mapping[str, Mapping[str, float]]) -> str:
  """Returns a Markdown table, a method a row."""
  lines = [f"| {title} | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
  for name, means in table.items():
    lines.append(f"| {name} | {means['PSNR']:.2f} | {means['SSIM']:.4f} | {means['L1']:.5f} |")
  return "\n".join(lines)
