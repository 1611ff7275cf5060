"""Writes a model for other programs: a SavedModel (which needs TensorFlow alone), a TFLite or an ONNX file.

A SavedModel takes images and batches of any size. Its signature serving_default takes arrays, encoded takes PNG or JPEG
files, and outputs takes arrays and returns every output of the networks. A TFLite or ONNX file takes images of --height
x --width.
"""

import os

from absl import flags

from z2i_tf.cli.flags import filling_flags
from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import mask_flags
from z2i_tf.errors import InputError
from z2i_tf.system.atomic_files import atomic_folder
from z2i_tf.system.atomic_files import atomic_write

_SAVED_MODEL, _TFLITE, _ONNX = "saved_model", "tflite", "onnx"
_REPORT = "verification.json"
# Sizes of the pictures that verify a SavedModel: square, odd, extreme.
_VERIFIED_SIZES = ((64, 64), (101, 67), (24, 200), (256, 256))
_MASK_KIND = "large"
_MASK_REFERENCE_PX = 256


def define_flags(values: flags.FlagValues) -> None:
  filling_flags.define_model_choice_flag(values)
  flags.DEFINE_string("output", None, "Folder of the SavedModel, new or empty; or file to write.", flag_values=values)
  flags.DEFINE_enum(
    "format",
    _SAVED_MODEL,
    [_SAVED_MODEL, _TFLITE, _ONNX],
    "Format to write; onnx needs the extra z2i_tf[onnx].",
    flag_values=values,
  )
  filling_flags.define_precision_flag(values)
  for name in ("height", "width"):
    flags.DEFINE_integer(
      name,
      256,
      f"{name.title()} of the images that a TFLite or ONNX file takes, pixels; 0 = any.",
      lower_bound=0,
      flag_values=values,
    )
  flags.DEFINE_bool(
    "verify",
    False,
    "Compare the export with the model in Python, and write a report: verification.json in the SavedModel's "
    "assets.extra, or FILE.verification.json. If they differ by more than one grey level, fail and write nothing.",
    flag_values=values,
  )
  flags.DEFINE_bool(
    "warmup",
    False,
    "Write warm-up requests for TensorFlow Serving into the SavedModel; needs the extra z2i_tf[serving].",
    flag_values=values,
  )


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "output")
  if values.format == _SAVED_MODEL:
    for name in ("height", "width"):
      if values[name].present:
        raise InputError(f"--{name} is for --format=tflite and onnx; a SavedModel takes any size")
    _export_saved_model(values)
    return
  if values.warmup:
    raise InputError("--warmup is for --format=saved_model; leave it out")
  if values.precision not in (None, "float32"):
    raise InputError(f"--precision={values.precision} is for --format=saved_model; leave it out")
  _export_file(values)


def _export_saved_model(values):
  folder = flag_readers.new_folder(values, "output")
  if values.warmup:
    from z2i_tf.export import serving_warmup

    serving_warmup.check_serving_is_installed()
  import tensorflow as tf

  from z2i_tf.export import saved_model
  from z2i_tf.inference import model_store
  from z2i_tf.inference import predictors

  generator = model_store.load_generator(values.model, values.precision or "float32")
  with atomic_folder(folder) as temporary:
    try:
      saved_model.write_saved_model(generator, temporary, values.model)
    except (OSError, tf.errors.OpError) as error:
      raise InputError(f"{values.output}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
    if values.warmup:
      ((image, mask),) = _examples(_VERIFIED_SIZES[-1:])
      serving_warmup.write_warmup_requests(temporary, saved_model.warmup_requests(image, mask))
    if values.verify:
      from z2i_tf.export import verification

      report = _compared(values, verification.saved_model_fill(temporary), _examples(_VERIFIED_SIZES))
      verification.write_report(os.path.join(temporary, predictors.EXTRA_FOLDER, _REPORT), report)
  print(values.output)


def _export_file(values):
  from z2i_tf.images import image_files

  if os.path.isdir(values.output):
    raise InputError(
      f"--output={values.output} is a folder; give a file, such as {os.path.join(values.output, 'z2i')}.{values.format}"
    )
  image_files.check_creatable_folder(os.path.dirname(values.output) or ".")
  from z2i_tf.export import portable

  if values.format == _ONNX:
    portable.check_onnx_is_installed()
  from z2i_tf.export import verification
  from z2i_tf.inference import model_store

  model = model_store.load_model(values.model)
  size = (values.height or _VERIFIED_SIZES[0][0], values.width or _VERIFIED_SIZES[0][1])
  examples = _examples([size]) if values.verify else []
  export, runtime = {
    _TFLITE: (portable.export_tflite, verification.tflite_fill),
    _ONNX: (portable.export_onnx, verification.onnx_fill),
  }[values.format]
  image_files.create_folder_of(values.output)
  try:
    with atomic_write(values.output) as file:
      export(model, file.name, values.height or None, values.width or None)
      report = _compared(values, runtime(file.name), examples) if values.verify else None
  except OSError as error:
    raise InputError(f"{values.output}: cannot be written: {error.strerror or error}") from error
  if report:
    verification.write_report(f"{values.output}.{_REPORT}", report)
  print(values.output)


def _compared(values, fill, examples):
  """Returns and prints the comparison with the model in Python; raises InputError if they differ."""
  from z2i_tf.export import verification
  from z2i_tf.inference.inpainter import Inpainter

  report = verification.compare(fill, Inpainter.load(values.model, values.precision), examples)
  if not report["is_equal"]:
    worst = max(report["examples"], key=lambda entry: entry["largest_difference"])
    raise InputError(
      f"{values.output}: the export differs from the model in Python by {worst['largest_difference']} grey "
      f"levels (at {worst['height']}x{worst['width']}); nothing was written"
    )
  print(
    f"verified on {len(examples)} size{'s' * (len(examples) > 1)}: at most {report['largest_difference']} grey "
    "levels from the model in Python"
  )
  return report


def _examples(sizes):
  """Returns smooth seeded pictures of the sizes (height, width), with masks; raises InputError if no mask fits."""
  import cv2
  import numpy as np

  examples = []
  for height, width in sizes:
    rng = np.random.default_rng([height, width])
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    mixture = mask_flags.mask_mixture(
      _MASK_KIND, "kind", _MASK_REFERENCE_PX if max(height, width) <= _MASK_REFERENCE_PX else None
    )
    try:
      mask = mixture.draw(height, width, rng)
    except ValueError as error:
      raise InputError(f"--height={height} --width={width}: {error}") from error
    examples.append((cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), mask))
  return examples
