"""Speed, memory and quality of z2i on whole photographs, beside OpenCV's inpainting, on this machine.

  python benchmarks/photographs.py [--parts=speed,sizes,memory] [--rounds=3] [--model=compact] [--precision=float32]
  python benchmarks/photographs.py --parts=quality,thickness --photos=FOLDER [--count=40] [--output_dir=DIR] [--store]

Every hole but the paper's is one seeded shape. "Default" is what `z2i inpaint` does, "detail none" the same without
texture, "networks alone" their own result at the image's resolution (--native).
speed: seconds on large photographs with a hole of 5%, beside Telea; and on 256x256 with the paper's masks, beside the
  networks alone. The methods take turns, after one warm-up; medians over --rounds.
sizes: seconds over thicknesses of the hole (a disc's diameter) and sizes of the image, each filled once before.
memory: peak of a process that fills a hole of 5% in a large photograph.
quality: smooth blobs, 14 to 34% of the short side, anywhere inside --count photographs of the folder (those above 3 MP
  are reduced to 2.8 MP). PSNR is the hole's. ST-LPIPS (Ghildyal and Liu 2022) sees the hole's box, grown by a quarter
  and 8 pixels, its longer side reduced to 512 pixels; it needs a package that the part names if it is missing.
  High frequencies: mean |gray - blurred gray| (sigma 2) inside the hole, as a share of the original's. "Better by"
  compares the mean with the better mean of OpenCV's two. --output_dir gets a picture of each photograph's fills, and
  scores.txt, sorted by the default's ST-LPIPS (alex) relative to the better of OpenCV's, worst first.
thickness: hole PSNR of the default on the same photographs, over the thickness up to which the networks fill a hole
  (larger ones are halved first). Best is the largest limit within 0.05 dB of the highest PSNR. --store writes it into
  the model folder (--model=FOLDER).
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np

import examples
from examples import ALONE
from examples import DEFAULT
from examples import NAVIER_STOKES
from examples import NONE
from examples import SIDE
from examples import TELEA
import machine
from z2i_tf.analyses import picture_sheets
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.inference import bundled_models
from z2i_tf.inference import model_store
from z2i_tf.inference import pieces
from z2i_tf.inference.inpainter import Inpainter
from z2i_tf.metrics.st_lpips import StLpips
from z2i_tf.system import memory
from z2i_tf.system import processor

_DEFAULT_PARTS, _PHOTO_PARTS = ("speed", "sizes", "memory"), ("quality", "thickness")
_SPEED_SIZES, _MEMORY_SIZES = ((1366, 2048), (2880, 3840)), ((3000, 4000), (4000, 6000))  # Height, width.
_SIZES, _DISCS_PX = ((480, 640), (1366, 2048), (3000, 4000), (4000, 6000)), (32, 100, 320, 1000)
_PAPER_MASKS = 4  # As many as sample photographs.
_THICKNESSES_PX, _MIN_PHOTOS_TO_STORE, _SAME_QUALITY_DB = (32, 40, 56, 72, 100), 30, 0.05
_BLOB_SHARES, _SCORED_SIDE = (0.14, 0.34), 512
_ALEX, _VGG, _PSNR, _FREQUENCIES = "ST-LPIPS alex", "ST-LPIPS vgg", "hole PSNR, dB", "high frequencies"


def _row(*cells):
  print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _header(title, *cells):
  print(f"\n{title}\n")
  _row(*cells)
  print("|" + "---|" * len(cells))


def _seconds(call, *arguments):
  start = time.perf_counter()
  call(*arguments)
  return time.perf_counter() - start


def _measure_speed(inpainter, arguments):
  cases = [
    (TELEA, f"{shape[1]}x{shape[0]}, 5%", [(examples.sample(shape), examples.middle_blob(shape))])
    for shape in _SPEED_SIZES
  ]
  cases += [
    (
      ALONE,
      f"{SIDE}x{SIDE}, {kind} masks",
      list(zip(examples.small_samples(), examples.paper_masks(kind, _PAPER_MASKS))),
    )
    for kind in ("small", "large")
  ]
  methods = examples.methods(inpainter)
  _header(
    f"Seconds per image, medians of {arguments.rounds} round(s)",
    "image, hole",
    "beside",
    "its seconds",
    NONE,
    DEFAULT,
    f"{NONE}, ratio",
    f"{DEFAULT}, ratio",
  )
  for other, label, pairs in cases:
    rounds = [
      [[_seconds(methods[name], *example) for name in (other, NONE, DEFAULT)] for example in pairs]
      for _ in range(1 + arguments.rounds)
    ]
    seconds = np.median(np.mean(rounds[1:], axis=1), axis=0)  # Without the warm-up.
    _row(label, other, *(f"{each:.2f}" for each in seconds), *(f"{each:.2f}" for each in seconds[1:] / seconds[0]))


def _measure_sizes(inpainter, _):
  _header("Seconds of the default over the hole's thickness", "image", *(f"{thickness} px" for thickness in _DISCS_PX))
  for shape in _SIZES:
    image, cells = examples.sample(shape), []
    for thickness in _DISCS_PX:
      mask, cell = examples.disc(thickness, shape), "-"
      if thickness <= min(shape) / 2:
        cell = f"{[_seconds(inpainter, image, mask) for _ in range(2)][1]:.2f}"
      cells.append(cell)
    _row(f"{shape[1]}x{shape[0]}, {shape[0] * shape[1] / 1e6:.1f} MP", *cells)


def _measure_memory(_, arguments):
  _header("Peak memory of a process, hole of 5%", "image", "peak", "before the fill", "seconds, first fill")
  for shape in _MEMORY_SIZES:
    before, peak, seconds = examples.fill_in_child(arguments.model, arguments.precision, shape, native=False)
    _row(f"{shape[1]}x{shape[0]}", memory.format_size(peak), memory.format_size(before), f"{seconds:.1f}")


def _psnr(result, original, mask):
  error = np.square(result[mask == 1].astype(np.float32) - original[mask == 1]).mean()
  return 10.0 * np.log10(255.0**2 / max(error, 0.01))


class _Scorer:
  """Scores of a fill, by name."""

  def __init__(self):
    try:
      self._nets = {name: StLpips(net) for name, net in ((_ALEX, "alex"), (_VGG, "vgg"))}
    except InputError as error:
      raise SystemExit(str(error)) from error

  def __call__(self, result, original, mask):
    pair = [_crop(image, mask)[np.newaxis] for image in (result, original)]
    distances = {name: float(net(*pair)[0]) for name, net in self._nets.items()}
    inner = cv2.erode(mask, np.ones((9, 9), np.uint8)) == 1
    energy, of_original = (max(1e-3, _high_frequencies(image)[inner].mean()) for image in (result, original))
    return {_PSNR: _psnr(result, original, mask), **distances, _FREQUENCIES: energy / of_original}


def _high_frequencies(image):
  gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
  return np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 2.0))


def _crop(image, mask):
  """Returns the crop that ST-LPIPS scores and the pictures show: the hole with its surroundings, reduced."""
  left, top, width, height = cv2.boundingRect(mask)
  reach = max(width, height) // 4 + 8
  crop = image[max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach]
  factor = min(1.0, _SCORED_SIDE / max(crop.shape[:2]))
  size = tuple(max(1, round(side * factor)) for side in crop.shape[1::-1])
  return cv2.resize(crop, size, interpolation=cv2.INTER_AREA)


def _better_opencv(scores):
  return min(TELEA, NAVIER_STOKES, key=lambda method: scores[method][_ALEX])


def _measure_quality(inpainter, arguments):
  scorer, methods = _Scorer(), examples.methods(inpainter, arguments.native_max_mp * 1e6)
  if arguments.output_dir:
    image_files.create_folder(arguments.output_dir)
  rng, scores = np.random.default_rng(0), {}
  for name, photo in examples.photographs(arguments.photos, arguments.count):
    photo = examples.reduced(photo)
    mask = _random_blob(rng, photo.shape[:2])
    damaged = picture_sheets.paint_hole(photo, mask)
    results = {method: fill(damaged, mask) for method, fill in methods.items()}
    scores[name] = {method: scorer(result, photo, mask) for method, result in results.items()}
    if arguments.output_dir:
      shown = (_better_opencv(scores[name]), NONE, DEFAULT)
      sheet = picture_sheets.draw_sheet(
        ["input", *shown, "original"],
        [[_crop(image, mask) for image in (damaged, *(results[method] for method in shown), photo)]],
      )
      image_files.write_rgb(os.path.join(arguments.output_dir, f"{name}.png"), sheet)
  _print_quality(
    scores,
    f"{len(scores)} photographs, a blob in each; means (of high frequencies also the median); the "
    f"networks alone fill a copy of at most {arguments.native_max_mp:g} MP, enlarged bicubically",
  )
  if arguments.output_dir:
    _write_scores(os.path.join(arguments.output_dir, "scores.txt"), scores)


def _print_quality(scores, title):
  """Prints a row for each method.

  Args:
    scores: photograph -> method -> score -> value.
    title: of the table.
  """
  values = {
    method: {score: [of_photo[method][score] for of_photo in scores.values()] for score in of_method}
    for method, of_method in next(iter(scores.values())).items()
  }
  means = {method: {score: np.mean(each) for score, each in columns.items()} for method, columns in values.items()}
  best = {
    score: (max if score == _PSNR else min)(means[TELEA][score], means[NAVIER_STOKES][score])
    for score in (_PSNR, _ALEX, _VGG)
  }
  _header(title, "method", _PSNR, "better by", _ALEX, "better by", _VGG, "better by", _FREQUENCIES)
  for method, mean in means.items():
    cells = [f"{mean[_PSNR]:.2f}", f"{mean[_PSNR] - best[_PSNR]:+.2f} dB"]
    for score in (_ALEX, _VGG):
      cells += [f"{mean[score]:.4f}", f"{1.0 - mean[score] / best[score]:+.1%}"]
    _row(method, *cells, f"{mean[_FREQUENCIES]:.2f} ({np.median(values[method][_FREQUENCIES]):.2f})")


def _write_scores(path, scores):
  ratios = {
    name: of_photo[DEFAULT][_ALEX] / of_photo[_better_opencv(of_photo)][_ALEX] for name, of_photo in scores.items()
  }
  with open(path, "w", encoding="utf-8") as file:
    for name in sorted(ratios, key=ratios.get, reverse=True):
      file.write(f"{name}: {_ALEX} of default / {_better_opencv(scores[name])}: {ratios[name]:.2f}\n")
      for method, values in scores[name].items():
        file.write(f"  {method:15}" + "  ".join(f"{score} {value:.4f}" for score, value in values.items()) + "\n")


def _measure_thickness(inpainter, arguments):
  rng, pairs = np.random.default_rng(0), []
  for _, photo in examples.photographs(arguments.photos, arguments.count):
    photo = examples.reduced(photo)
    pairs.append((photo, _random_blob(rng, photo.shape[:2])))
  _header(f"Mean of {len(pairs)} photographs", "networks fill up to, px", _PSNR)
  quality = {}
  for limit in _THICKNESSES_PX:
    quality[limit] = np.mean(
      [_psnr(inpainter(photo, mask, plan=pieces.divide(mask == 1, limit)), photo, mask) for photo, mask in pairs]
    )
    _row(limit, f"{quality[limit]:.2f}")
  best = max(limit for limit in quality if quality[limit] >= max(quality.values()) - _SAME_QUALITY_DB)
  print(f"\nThe best limit: {best} px")
  if arguments.store:
    if len(pairs) < _MIN_PHOTOS_TO_STORE:
      raise SystemExit(f"--store needs {_MIN_PHOTOS_TO_STORE} photographs or more.")
    model_store.store_max_thickness(arguments.model, best)
    print(f"Written into {arguments.model}")


def _random_blob(rng, shape):
  """Returns a mask (H, W) uint8, 1 = hole: a blob of a random size at a random place."""
  points = examples.blob(rng) * rng.uniform(*_BLOB_SHARES) * min(shape)
  reach = points.max(axis=0)
  return examples.inside(points + rng.uniform(reach, np.array(shape[::-1]) - reach), shape)


def main():
  parts = {
    "speed": _measure_speed,
    "sizes": _measure_sizes,
    "memory": _measure_memory,
    "quality": _measure_quality,
    "thickness": _measure_thickness,
  }
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--parts", default=",".join(_DEFAULT_PARTS))
  parser.add_argument("--rounds", type=int, default=3, help="of speed")
  parser.add_argument("--model", default=bundled_models.DEFAULT, help="a bundled model's name, or a model folder")
  parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
  parser.add_argument("--photos", help="folder of photographs, for quality and thickness")
  parser.add_argument("--count", type=int, default=40, help="of the photographs")
  parser.add_argument("--native_max_mp", type=float, default=0.6, help="what the networks alone see in quality")
  parser.add_argument("--output_dir", help="for pictures and scores of quality")
  parser.add_argument("--store", action="store_true", help="write what thickness finds into the folder --model")
  arguments = parser.parse_args()
  machine.print_load()
  chosen = arguments.parts.split(",")
  if not set(chosen) <= set(parts):
    parser.error(f"--parts={arguments.parts}: known are {', '.join(parts)}")
  if set(chosen) & set(_PHOTO_PARTS) and not arguments.photos:
    parser.error(f"--parts={arguments.parts} needs --photos=FOLDER")
  if arguments.store and arguments.model in model_store.bundled_names():
    parser.error(f"--store: {arguments.model} is a bundled model; give a folder")
  print(f"{arguments.model}, {arguments.precision}, {processor.usable_cores()} cores of {processor.model_name()}")
  inpainter = Inpainter.load(arguments.model, arguments.precision)
  for part in chosen:
    parts[part](inpainter, arguments)


if __name__ == "__main__":
  main()
