"""Defines the settings of an evaluation and checks them."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses

from z2i_tf.analyses import score_tables
from z2i_tf.analyses.side_by_side import MASK
from z2i_tf.analyses.side_by_side import ORIGINAL
from z2i_tf.errors import InputError
from z2i_tf.inference.crop_fill import DETAILS
from z2i_tf.metrics import lpips
from z2i_tf.metrics import st_lpips
from z2i_tf.metrics.weight_files import DEFAULT

NO_LPIPS = "none"
_CHOICES = {
  "analysis": score_tables.ANALYSES,
  "filling": ("networks", "photograph"),
  "lpips_net": (NO_LPIPS, *lpips.NETS),
  "detail": (None, *DETAILS),
}


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """Settings of an evaluation.

  Attributes:
    output_dir: new or empty folder, or one of an earlier evaluation of the same analysis, which is replaced.
    testset: folder of `test_sets.write_test_set`; None to use `image_dir` and `mask_dir`.
    image_dir: folder of images.
    mask_dir: name of a test set -> folder of its masks, which have the names of the images.
    model: name -> model, as in `model_store.load_predictor`.
    result_dir: name -> folder of another method's results.
    baseline: names in `baselines.METHODS`.
    analysis: layout of tables and charts: "comparison", "ablation", "frequency" or "scale_study".
    blend_results: whether to replace known pixels of `result_dir` by the originals', as the paper does.
    lpips_net: network of LPIPS, a name in `lpips.NETS`, or "none".
    lpips_features: weights of that network, as in `lpips.Lpips`.
    lpips_linear: channel weights, as in `lpips.Lpips`.
    st_lpips: networks of ST-LPIPS, names in `st_lpips.NETS`; each is a metric.
    st_lpips_weights: folder of their weights, as in `st_lpips.StLpips`.
    inception_graph: frozen Inception for FID, as in `fid.InceptionFeatures`; None omits FID.
    save_results: whether to keep results, originals and masks as pictures.
    filling: "networks" evaluates the networks' own result, "photograph" evaluates the result of `z2i inpaint`.
    detail: texture for `filling` "photograph", as in `Inpainter`; None for the default.
    precision: of the networks; None for the model's default.
  """

  output_dir: str
  testset: str | None = None
  image_dir: str | None = None
  mask_dir: Mapping[str, str] = dataclasses.field(default_factory=dict)
  model: Mapping[str, str] = dataclasses.field(default_factory=dict)
  result_dir: Mapping[str, str] = dataclasses.field(default_factory=dict)
  baseline: Sequence[str] = ()
  analysis: str = "comparison"
  blend_results: bool = True
  lpips_net: str = NO_LPIPS
  lpips_features: str = DEFAULT
  lpips_linear: str = DEFAULT
  st_lpips: Sequence[str] = ()
  st_lpips_weights: str | None = None
  inception_graph: str | None = None
  save_results: bool = True
  filling: str = "networks"
  detail: str | None = None
  precision: str | None = None

  @property
  def method_names(self) -> list[str]:
    """Names of all methods in the order of the tables."""
    return [*self.model, *self.result_dir, *self.baseline]


def check_config(config: EvaluationConfig) -> None:
  """Raises InputError for settings that contradict each other."""
  names = config.method_names
  for name in names:
    if names.count(name) > 1 or name in (ORIGINAL, MASK):
      raise InputError(
        f"`model`, `result_dir`, `baseline`: {name} is "
        + ("given twice" if names.count(name) > 1 else "reserved")
        + "; give it a name of its own (NAME=PATH)"
      )
  if not names:
    raise InputError("nothing to evaluate: give `model`, `result_dir` or `baseline`")
  if config.testset and (config.image_dir or config.mask_dir):
    raise InputError("`testset` holds images and masks; leave out `image_dir` and `mask_dir`")
  if not config.testset and not (config.image_dir and config.mask_dir):
    raise InputError("`testset` is missing, a folder of z2i make-testset; or give `image_dir` and `mask_dir`")
  for name, known in _CHOICES.items():
    if getattr(config, name) not in known:
      expected = ", ".join(filter(None, known))
      raise InputError(f"`{name}`={getattr(config, name)}: expected one of {expected}")
  for name in ("lpips_features", "lpips_linear"):
    if getattr(config, name) != DEFAULT and config.lpips_net == NO_LPIPS:
      raise InputError(f"`{name}`={getattr(config, name)}: only with `lpips_net`=alex or vgg")
  for name in config.st_lpips:
    if name not in st_lpips.NETS or list(config.st_lpips).count(name) > 1:
      raise InputError(f"`st_lpips`={','.join(config.st_lpips)}: expected {', '.join(st_lpips.NETS)}, each once")
  if config.st_lpips_weights is not None and not config.st_lpips:
    raise InputError(f"`st_lpips_weights`={config.st_lpips_weights}: only with `st_lpips`")
  if config.detail is not None and config.filling != "photograph":
    raise InputError(f"`detail`={config.detail}: only with `filling`=photograph")
