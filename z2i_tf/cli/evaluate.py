"""Measures inpainting methods on images with fixed masks: models, folders of other methods' results, OpenCV.

Every method's 8-bit result is scored against the original: PSNR, SSIM, MS-SSIM and L1 over the image; PSNR, L1 and SSIM
over the hole; LPIPS, ST-LPIPS and FID where their weights are at hand. --output_dir gets the record of everything
measured (its bytes repeat), scores.csv with a row per image, tables.md, charts, and the results. z2i compare compares
two records, z2i report gathers many.
"""

from absl import flags

from z2i_tf.cli.flags import flag_groups
from z2i_tf.errors import InputError

_ANALYSES = ("comparison", "ablation", "frequency", "scale_study")
_NO_LPIPS = "none"
# Of `evaluation.weight_files` and `evaluation.st_lpips`, which must not be imported to print help.
_DOWNLOAD = "default"
_ST_LPIPS_NETS = ("alex", "vgg")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "testset",
    None,
    "Folder of z2i make-testset: its images, each of its kinds of masks a test set.",
    flag_values=values,
  )
  flags.DEFINE_string("image_dir", None, "Folder of images, in place of --testset.", flag_values=values)
  flags.DEFINE_list(
    "mask_dir",
    [],
    "Folders of masks of the images' names, white = hole; each is a test set, called as the folder (or NAME=DIR).",
    flag_values=values,
  )
  flags.DEFINE_list(
    "model",
    ["compact"],
    "Models: bundled ones by name, folders with model.npz, or SavedModels, each "
    "called as its folder (or NAME=DIR); empty for none.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "result_dir",
    [],
    "Results of other methods, as NAME=DIR: one image per image, of its name and "
    "size; with several test sets in subfolders called as they are.",
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
    "Layout of table and picture: the paper's Tables 1, 8, 10; "
    "3 and 6; 7 and Figure 6 (differences are from the first method); 12 and Figure 13.",
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
    f"LPIPS' own weights for it (.pth, .npz), or {_DOWNLOAD} to download them.",
    flag_values=values,
  )
  flags.DEFINE_list(
    "st_lpips", [], "Networks of ST-LPIPS, of alex and vgg, each a metric; empty leaves it out.", flag_values=values
  )
  flags.DEFINE_string(
    "st_lpips_weights",
    None,
    "Folder with alex_shift_tolerant and vgg_shift_tolerant, .pth or .npz. "
    "Default: that of the installed package (pip install --no-deps stlpips-pytorch==0.0.2).",
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
    "New folder for what is measured, or that of a former run of the same analysis, which is replaced.",
    flag_values=values,
  )
  flags.DEFINE_enum(
    "filling",
    "networks",
    ["networks", "photograph"],
    "Which result of a model is measured: that of its networks alone, or that of z2i inpaint.",
    flag_values=values,
  )
  flag_groups.define_detail_flag(values)
  flag_groups.define_precision_flag(values)


def run(values: flags.FlagValues) -> bool:
  """Returns whether a metric had to be left out."""
  flag_groups.require(values, "output_dir")
  models = flag_groups.named_paths(values, "model", names_needed=False)
  folders = flag_groups.named_paths(values, "result_dir")
  names = [*models, *folders, *values.baseline]
  from z2i_tf.analyses import side_by_side

  for name in names:
    if names.count(name) > 1 or name in (side_by_side.ORIGINAL, side_by_side.MASK):
      raise InputError(
        f"--model, --result_dir, --baseline: {name} is "
        + ("there twice" if names.count(name) > 1 else "kept for other pictures")
        + "; give it a name of its own (NAME=PATH)"
      )
  if not names:
    raise InputError("nothing to evaluate: give --model, --result_dir or --baseline")
  for name in ("lpips_features", "lpips_linear"):
    if values[name].present and values.lpips_net == _NO_LPIPS:
      raise InputError(f"--{name}={values[name].value}: only with --lpips_net=alex or vgg")
  for name in values.st_lpips:
    if name not in _ST_LPIPS_NETS or values.st_lpips.count(name) > 1:
      raise InputError(f"--st_lpips={','.join(values.st_lpips)}: expected {', '.join(_ST_LPIPS_NETS)}, each once")
  if values.st_lpips_weights is not None and not values.st_lpips:
    raise InputError(f"--st_lpips_weights={values.st_lpips_weights}: only with --st_lpips")
  if values["detail"].present and values.filling != "photograph":
    raise InputError(f"--detail={values.detail}: only with --filling=photograph")
  from z2i_tf.analyses import charts
  from z2i_tf.cli import evaluation_inputs as inputs
  from z2i_tf.cli import evaluation_run

  charts.require_matplotlib()
  sets = inputs.open_sets(values)
  evaluation_run.check_output(
    values.output_dir, values.analysis, [path for each in sets for path in each.folders] + list(folders.values())
  )
  methods = {name: inputs.baseline_method(name) for name in values.baseline}
  methods.update(
    {name: inputs.result_method(name, folder, sets, values.blend_results) for name, folder in folders.items()}
  )
  test_sets = {each.name: each.describe() for each in sets}
  made_as = inputs.check_is_unchanged(values.testset, test_sets) if values.testset else None
  methods.update({name: inputs.model_method(model, values) for name, model in models.items()})
  return evaluation_run.run(values, sets, test_sets, made_as, {name: methods[name] for name in names})
