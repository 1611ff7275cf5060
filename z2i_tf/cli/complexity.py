"""Counts parameters and operations of models and times them on images, beside OpenCV's methods (the paper's Table 5).

Every method fills the same centre crops of --image_dir, or random images, with random masks, one at a time, without
files. --architecture, --zoom, --scale, --width or --sr_width measure a model of that configuration with random weights,
which takes as long as a trained one. Writes a chart of the times, tables.md and complexity.json. Run nothing else
meanwhile.
"""

from typing import Any

from absl import flags

from z2i_tf.cli.flags import analysis_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.cli.flags import model_flags
from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.inference.bundled_models import DEFAULT

_CONFIGURATION = ("architecture", "zoom", "scale", "width", "sr_width")
HEADINGS = {"Model": ("model", "precision", *_CONFIGURATION)}


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_list(
    "model",
    [DEFAULT],
    "Models: bundled ones by name, folders with model.npz, SavedModels, or ADAPTER:PATH of other methods, each "
    "named after its folder (or NAME=MODEL). A given configuration replaces the default.",
    flag_values=values,
  )
  model_flags.define_model_flags(values)
  flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "bfloat16"],
    "Arithmetic in which to measure models besides float32; SavedModels and other methods' models have their own.",
    flag_values=values,
  )
  flags.DEFINE_string(
    "image_dir",
    None,
    "Folder of photographs; if it has fewer than --count, they are used again with other masks. Default: "
    "random images.",
    flag_values=values,
  )
  flags.DEFINE_integer("count", 100, "Number of images to time.", lower_bound=1, flag_values=values)
  seed_and_size_flags.define_size_flag(values)
  mask_flags.define_mask_kind_flag(values)
  seed_and_size_flags.define_seed_flag(values)
  analysis_flags.define_analysis_folder_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output_dir")
  size = seed_and_size_flags.size(values)
  is_configured = any(values[name].present for name in _CONFIGURATION)
  folders = flag_readers.named_paths(values, "model", names_needed=False)
  if is_configured and not values["model"].present:
    folders = {}
  config = model_flags.model_config(values) if is_configured else None
  from z2i_tf.analyses import charts
  from z2i_tf.analyses import complexity
  from z2i_tf.analyses import records
  from z2i_tf.analyses import tables
  from z2i_tf.images import image_files
  from z2i_tf.inference import pairs

  charts.require_matplotlib()
  pairs.check_is_apart(values.output_dir, values.image_dir)
  masks = mask_flags.mask_mixture(values.mask_kind, "mask_kind")
  examples, images = complexity.draw_examples(masks, values.count, size, values.seed, values.image_dir)
  image_files.create_folder(values.output_dir)
  records.check_folder_is_free(values.output_dir, complexity.ANALYSIS)

  from z2i_tf.analyses import measured_models
  from z2i_tf.cli.progress import progress
  from z2i_tf.evaluation import baselines

  measured_on = measured_models.measured_on()  # Before TensorFlow takes a GPU's memory.
  models: dict[str, dict[str, Any]] = {}
  methods: dict[str, measured_models.Method] = {}
  for name, folder in folders.items():
    measured_models.add_trained(name, folder, values.precision, size, models, methods)
  if config:
    measured_models.add_random(config, values.precision, values.seed, size, models, methods)
  methods.update(baselines.METHODS)
  complexity.warm_up(methods, examples)
  with progress(values.count, "image") as advance:
    seconds = complexity.measure(methods, examples, advance)
  settings = {"count": values.count, "size": size, "mask_kind": values.mask_kind, "seed": values.seed, "images": images}
  for table in complexity.write(values.output_dir, models, seconds, size, settings, measured_on):
    print(tables.to_text(table) + "\n")
  print(values.output_dir)
