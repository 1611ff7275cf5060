"""Speed and memory of inference on this machine, as ratios within one run.

  python benchmarks/inference.py [--parts=speed,saved_model,startup] [--width=64] [--masks=10] [--rounds=1]
                                 [--model=compact] [--precision=float32] [--thorough]

speed: photographs of 256x256 with the paper's masks. "Keras" is the Keras model that training uses, in one call; the
  others are the package's inference. All have the same weights and fill the same hole one after the other, so the load
  of the machine affects all of them alike. Seconds are means over masks and rounds, of wall time and of processor time
  of this process. Differences are from the Keras model, in gray levels of 8 bits, over the hole. PSNR compares bfloat16
  with our float32, over the hole and over the image: the lowest of all masks.
saved_model: peak memory and time of an exported model on a whole large image with a hole of 5%.
startup: wall time of commands from the shell, medians.

Weights are random (see `inference_paths.random_weights`), or those of --model, a bundled model's name or a model
folder; --width is then the model's. --precision is that of saved_model. --thorough: 20 masks, a SavedModel on
1920x1080, 5 starts of a command. `photographs.py` measures photographs filled piece by piece.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import arithmetic
import examples
from examples import SIDE
import inference_paths
import machine
from z2i_tf import image_ops
from z2i_tf.export import saved_model
from z2i_tf.inference import model_store
from z2i_tf.inference.bundled_models import model_folder
from z2i_tf.models import architecture
from z2i_tf.models import complexity
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.system import memory
from z2i_tf.system import processor

_DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
_KINDS = ("small", "large")
_SAVED_MODEL_SIZES, _THOROUGH_SIZES = ((256, 256), (540, 960)), ((256, 256), (1080, 1920))  # Height, width.
_STARTS, _THOROUGH_STARTS = 3, 5
_KERAS, _FLOAT32, _BFLOAT16 = "Keras", "ours, float32", "ours, bfloat16"


def _photographs():
  """Returns the sample photographs, (4, 256, 256, 3) float32 in [0, 1]."""
  return examples.small_samples() / np.float32(255)


def _holes(kind, count):
  return examples.paper_masks(kind, count) == 1


def _weights(arguments):
  """Returns the configuration and the arrays of the weights that are measured."""
  if arguments.model:
    arrays, config = model_weights.read_model_file(model_folder(arguments.model))
    return ModelConfig(**config["model"]), arrays
  config = ModelConfig(width=arguments.width)
  holes = np.concatenate([_holes(kind, 2) for kind in _KINDS])
  return config, inference_paths.random_weights(config, _photographs(), holes)


def _measure_speed(config, arrays, arguments):
  paths = {
    _KERAS: inference_paths.KerasPath(config, arrays),
    _FLOAT32: inference_paths.OurPath(config, arrays, "float32"),
  }
  instructions = processor.bfloat16_instructions()
  if instructions:
    paths[_BFLOAT16] = inference_paths.OurPath(config, arrays, "bfloat16")
  photos = _photographs()
  flops = sum(complexity.count_flops(config, SIDE, SIDE).values())
  rates = [arithmetic.product_rate()]
  keras_seconds = []
  print(
    f"\n{SIDE}x{SIDE}, width {config.width}, {arguments.masks} masks of a kind, {arguments.rounds} round(s), "
    f"{processor.usable_cores()} cores of {processor.model_name()} "
    f"(bfloat16: {', '.join(instructions or ()) or 'no instructions'})\n"
  )
  print(
    "| masks | path | seconds | x Keras | processor seconds | x Keras | largest difference | PSNR of bfloat16, dB: "
    "hole, image |\n|" + "---|" * 8
  )
  for kind in _KINDS:
    seconds, results = _fill_all(paths, photos, _holes(kind, arguments.masks), arguments.rounds)
    keras_seconds += [wall for wall, _ in seconds[_KERAS]]
    for name in paths:
      (wall, cpu), (keras_wall, keras_cpu) = (np.mean(seconds[path], axis=0) for path in (name, _KERAS))
      difference = max(
        np.abs(image_ops.to_levels(result).astype(int) - image_ops.to_levels(expected)).max()
        for result, expected in zip(results[name], results[_KERAS])
      )
      psnr = "{:.1f}, {:.1f}".format(*_psnr(results[name], results[_FLOAT32])) if name == _BFLOAT16 else ""
      print(
        f"| {kind} | {name} | {wall:.2f} | {keras_wall / wall:.2f} | {cpu:.2f} | {keras_cpu / cpu:.2f} | "
        f"{difference} | {psnr} |",
        flush=True,
      )
  rates.append(arithmetic.product_rate())
  achieved, rate = flops / statistics.mean(keras_seconds), statistics.mean(rates)
  print(
    f"\nKeras: {flops / 1e9:.0f} GFLOP, {achieved / 1e9:.0f} GFLOP/s, {100 * achieved / rate:.0f}% of a matrix "
    f"product's {rate / 1e9:.0f} GFLOP/s (before {rates[0] / 1e9:.0f}, after {rates[1] / 1e9:.0f})"
  )


def _fill_all(paths, photos, holes, rounds):
  """Returns path -> list of (wall, processor) seconds, and path -> list of the holes' pixels (n, 3)."""
  seconds, results = ({name: [] for name in paths} for _ in range(2))
  for path in paths.values():
    for hole in (holes[0], holes[-1]):
      path(photos[0], hole)
  for round_number in range(rounds):
    for number, hole in enumerate(holes):
      photo = photos[number % len(photos)]
      for name, path in paths.items():
        start = time.perf_counter(), time.process_time()
        filled = path(photo, hole)
        seconds[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
        if not round_number:
          results[name].append(filled[hole])
  return seconds, results


def _psnr(results, references):
  """Returns the lowest PSNR over a hole, and over an image with it; of lists of the holes' pixels (n, 3) in [0, 1]."""
  squares = [np.square(result - reference) for result, reference in zip(results, references)]
  errors = max(map(np.mean, squares)), max(map(np.sum, squares)) / (3 * SIDE**2)
  return [-10.0 * np.log10(error) for error in errors]


def _measure_saved_model(folder, config, arguments):
  exported = os.path.join(folder, "exported")
  os.mkdir(exported)
  generator = model_store.load_generator(os.path.join(folder, "model"), arguments.precision)
  saved_model.write_saved_model(generator, exported, "benchmark")
  print(f"\nThe whole image in a SavedModel, hole of 5%, width {config.width}, {arguments.precision}\n")
  print("| image | peak | seconds |\n|---|---|---|")
  for shape in _THOROUGH_SIZES if arguments.thorough else _SAVED_MODEL_SIZES:
    _, peak, seconds = examples.fill_in_child(exported, arguments.precision, shape, native=True)
    print(f"| {shape[1]}x{shape[0]} | {memory.format_size(peak)} | {seconds:.1f} |", flush=True)


def _measure_startup(folder, starts):
  print("\n| command | seconds |\n|---|---|")
  image, mask = (os.path.join(_DATA, *names) for names in (("images", "astronaut.jpg"), ("masks", "astronaut.png")))
  for text, command in (
    ("z2i --help", ["--help"]),
    (
      "z2i inpaint, bundled model, sample photograph",
      ["inpaint", f"--image={image}", f"--mask={mask}", f"--output={os.path.join(folder, 'filled.png')}"],
    ),
  ):
    seconds = []
    for _ in range(starts):
      start = time.perf_counter()
      subprocess.run([sys.executable, "-m", "z2i_tf", *command], check=True, stdout=subprocess.DEVNULL)
      seconds.append(time.perf_counter() - start)
    print(f"| {text} | {statistics.median(seconds):.2f} |", flush=True)


def main():
  parts = ("speed", "saved_model", "startup")
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--parts", default=",".join(parts))
  parser.add_argument("--width", type=int, default=64)
  parser.add_argument("--masks", type=int, default=10, help="of a kind")
  parser.add_argument("--rounds", type=int, default=1)
  parser.add_argument("--model", help="a bundled model's name, or a model folder, instead of random weights")
  parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32", help="of saved_model")
  parser.add_argument("--thorough", action="store_true", help="20 masks, a SavedModel on 1920x1080, 5 starts")
  arguments = parser.parse_args()
  if arguments.thorough:
    arguments.masks = 20
  machine.print_load()
  chosen = arguments.parts.split(",")
  if not set(chosen) <= set(parts):
    parser.error(f"--parts={arguments.parts}: known are {', '.join(parts)}")
  tf.get_logger().setLevel("ERROR")  # The profiler announces its deprecation.
  with tempfile.TemporaryDirectory() as folder:
    if set(chosen) - {"startup"}:
      config, arrays = _weights(arguments)
      model = os.path.join(folder, "model")
      model_weights.write_model_file(model, arrays, architecture.describe(config))
    if "speed" in chosen:
      _measure_speed(config, arrays, arguments)
    if "saved_model" in chosen:
      _measure_saved_model(folder, config, arguments)
    if "startup" in chosen:
      _measure_startup(folder, _THOROUGH_STARTS if arguments.thorough else _STARTS)


if __name__ == "__main__":
  main()
