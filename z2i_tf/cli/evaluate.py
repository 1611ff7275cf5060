"""Measures inpainting methods on images with fixed masks: models, folders of other methods' results, OpenCV.

Every method's 8-bit result is scored against the original: PSNR, SSIM, MS-SSIM and L1 over the image; PSNR, L1 and SSIM
over the hole; LPIPS, ST-LPIPS and FID if their weights are given. --output_dir gets the record of all measurements (the
same bytes in each run), scores.csv with a row per image, tables.md, charts, and the results. z2i compare compares two
records, z2i report gathers many.
"""

import dataclasses
import sys
from typing import Any, TYPE_CHECKING

from absl import flags

from z2i_tf.cli import messages
from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.inference import bundled_models

if TYPE_CHECKING:
  from z2i_tf.evaluation.config import EvaluationConfig
  from z2i_tf.evaluation.evaluation import Evaluation

HEADINGS = {
  "Test set": ("testset", "image_dir", "mask_dir"),
  "Methods": ("model", "filling", "detail", "precision", "result_dir", "blend_results", "baseline"),
  "Metrics": ("lpips_net", "lpips_features", "lpips_linear", "st_lpips", "st_lpips_weights", "inception_graph"),
}

_ANALYSES = ("comparison", "ablation", "frequency", "scale_study")
_NO_LPIPS = "none"
# As `metrics.weight_files.DEFAULT`, which is too heavy to import for help.
_DOWNLOAD = "default"


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "testset", None, "Folder of z2i make-testset; each of its kinds of masks makes a test set.", flag_values=values
  )
  flags.DEFINE_string("image_dir", None, "Folder of images, in place of --testset.", flag_values=values)
  flags.DEFINE_list(
    "mask_dir",
    [],
    "Folders of masks with the names of the images, white = hole. Each is a test set with the name of its "
    "folder (or NAME=DIR).",
    flag_values=values,
  )
  flags.DEFINE_list(
    "model",
    [bundled_models.DEFAULT],
    "Models: bundled ones by name, folders with model.npz, SavedModels, or ADAPTER:PATH of other methods, each "
    "named after its folder (or NAME=MODEL); empty for none.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "result_dir",
    [],
    "Results of other methods, as NAME=DIR. DIR holds one image for each image of the test set, with its name and "
    "size; for several test sets, one subfolder for each, with its name.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "baseline",
    ["telea", "navier_stokes"],
    "telea, navier_stokes (OpenCV, radius 5), mean (the mean colour of the known pixels); empty for none.",
    flag_values=values,
  )
  flags.DEFINE_enum(
    "analysis",
    "comparison",
    _ANALYSES,
    "Layout of tables and charts: comparison (the paper's Tables 1, 8, 10), ablation (Tables 3, 6), frequency (Table "
    "7, Figure 6; gains over the first method), scale_study (Table 12, Figure 13).",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "blend_results",
    True,
    "Take known pixels of --result_dir from the originals, as the paper does.",
    flag_values=values,
  )
  flags.DEFINE_enum(
    "lpips_net", _NO_LPIPS, [_NO_LPIPS, "alex", "vgg"], "Network of LPIPS v0.1; none leaves it out.", flag_values=values
  )
  flags.DEFINE_string(
    "lpips_features",
    _DOWNLOAD,
    f"torchvision's weights of that network (.pth, .npz), or {_DOWNLOAD} to download them.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "lpips_linear",
    _DOWNLOAD,
    f"LPIPS' linear weights for that network (.pth, .npz), or {_DOWNLOAD} to download them.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "st_lpips", [], "Networks of ST-LPIPS: alex, vgg or both; each is a metric. Empty: none.", flag_values=values
  )
  flags.DEFINE_string(
    "st_lpips_weights",
    None,
    "Folder with alex_shift_tolerant and vgg_shift_tolerant, .pth or .npz. "
    "Default: the folder of the installed package (pip install --no-deps stlpips-pytorch==0.0.2).",
    flag_values=values,
  )
  flags.DEFINE_string(
    "inception_graph",
    None,
    "Frozen Inception of 2015-12-05 for FID (classify_image_graph_def.pb, "
    f"or the archive with it), or {_DOWNLOAD} to download it; without it FID is left out.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "save_results",
    True,
    "Keep every method's result, the originals and the masks, for z2i side-by-side, failures and study.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "output_dir",
    None,
    "Folder for the results: a new one, or one of an earlier run of the same analysis, which is replaced.",
    flag_values=values,
  )
  flags.DEFINE_enum(
    "filling",
    "networks",
    ["networks", "photograph"],
    "Measure the output of a model's networks alone, or the result of z2i inpaint (photograph).",
    flag_values=values,
  )
  filling_flags.define_detail_flag(values)
  filling_flags.define_precision_flag(values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether a metric was left out."""
  flag_readers.require(values, "output_dir")
  config = evaluation_config(values)
  from z2i_tf.cli.progress import progress
  from z2i_tf.evaluation import evaluation

  return report(values, evaluation.evaluate(config, progress, print))


def evaluation_config(values: flags.FlagValues) -> "EvaluationConfig":
  """Returns the settings of the flags; raises InputError for names that cannot be used."""
  named: dict[str, Any] = {
    "mask_dir": flag_readers.named_paths(values, "mask_dir", names_needed=False),
    "model": flag_readers.named_paths(values, "model", names_needed=False),
    "result_dir": flag_readers.named_paths(values, "result_dir"),
    "detail": values.detail if values["detail"].present else None,
  }
  from z2i_tf.evaluation.config import EvaluationConfig

  return EvaluationConfig(
    **{field.name: named.get(field.name, getattr(values, field.name)) for field in dataclasses.fields(EvaluationConfig)}
  )


def report(values: flags.FlagValues, outcome: "Evaluation") -> bool:
  """Prints the tables of an evaluation; returns whether a metric was left out."""
  from z2i_tf.analyses import tables

  print("\n\n".join(map(tables.to_text, outcome.tables)))
  print(values.output_dir)
  for line in outcome.left_out:
    print(f"left out: {messages.with_flags(line)}", file=sys.stderr)
  return bool(outcome.left_out)
