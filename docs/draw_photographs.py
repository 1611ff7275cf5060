"""Draws docs/images/photographs.jpg: six photographs, each with its hole and filled by the default model.

  python docs/draw_photographs.py --photos=FOLDER

FOLDER has the free photographs named in z2i_tf/assets/full/photographs.tsv. The other two are in data/images.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from PIL import Image

import z2i_tf
from z2i_tf.images import image_files

_DOCS = os.path.dirname(os.path.abspath(__file__))
_SAMPLES = os.path.join(os.path.dirname(_DOCS), "data", "images")
_CELL_SIZE, _GAP, _COLUMNS = (480, 320), 8, 3  # Width, height; pixels between cells.
_JPEG_QUALITY = 86
_PAINT, _OPACITY = (230, 0, 160), 0.65  # RGB of a hole in the pictures.

# File, crop to show (left, top, right, bottom), strokes (thickness, points x, y) that paint the hole.
_PICTURES = (
  (
    "oceanic-003.jpg",
    (820, 520, 1600, 1040),
    (
      (70, ((1160, 830), (1190, 860), (1330, 945))),
      (50, ((1240, 815), (1200, 880), (1330, 940), (1300, 870), (1240, 830))),
      (70, ((1190, 890), (1250, 930), (1310, 965))),
      (50, ((1205, 692), (1240, 693))),
      (60, ((1305, 675), (1315, 695))),
      (56, ((1362, 735), (1380, 755))),
      (56, ((1440, 715), (1450, 750))),
    ),
  ),
  (
    "oceanic-016.jpg",
    (860, 320, 1460, 720),
    (
      (34, ((1105, 470), (1140, 540), (1185, 620))),
      (60, ((1105, 575), (1195, 525), (1215, 560), (1120, 615), (1110, 590), (1170, 590))),
      (50, ((1190, 620), (1235, 705), (1255, 740))),
      (40, ((1125, 625), (1155, 690))),
    ),
  ),
  (
    "qubes-002.jpg",
    (120, 1200, 720, 1600),
    ((110, ((370, 1388), (371, 1388))), (14, ((280, 1295), (465, 1480))), (14, ((280, 1480), (465, 1295)))),
  ),
  ("rocket.jpg", (0, 0, 384, 256), ((14, ((120, 76), (119, 116))), (26, ((117, 118), (112, 205))))),
  (
    "max-005.jpg",
    (45, 45, 645, 445),
    (
      (16, ((326, 194), (352, 202), (378, 228), (396, 256), (424, 256))),
      (24, ((399, 262), (405, 318))),
      (22, ((406, 316), (418, 392), (439, 462))),
    ),
  ),
  ("pdimages-004.jpg", (400, 480, 1180, 1000), ((44, ((780, 620), (783, 890))),)),
)


def _hole(strokes, shape):
  """Returns (H, W) uint8, 255 = hole."""
  mask = np.zeros(shape, np.uint8)
  for thickness, points in strokes:
    cv2.polylines(mask, [np.array(points, np.int32)], False, 255, thickness)
  return mask


def _painted(image, mask):
  tinted = (1.0 - _OPACITY) * image + _OPACITY * np.array(_PAINT)
  return np.where(mask[..., np.newaxis] > 0, tinted, image).astype(np.uint8)


def _cell(image, box):
  left, top, right, bottom = box
  return cv2.resize(image[top:bottom, left:right], _CELL_SIZE, interpolation=cv2.INTER_AREA)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--photos", required=True, help="folder of the photographs that data/images lacks")
  parser.add_argument("--output", default=os.path.join(_DOCS, "images", "photographs.jpg"))
  arguments = parser.parse_args()
  inpainter = z2i_tf.Inpainter.load()
  width, height = _CELL_SIZE
  rows = -(-len(_PICTURES) // _COLUMNS)
  sheet = np.full((rows * (2 * height + 3 * _GAP) - 2 * _GAP, _COLUMNS * (width + _GAP) - _GAP, 3), 255, np.uint8)
  for number, (name, box, strokes) in enumerate(_PICTURES):
    sample = os.path.join(_SAMPLES, name)
    image = image_files.read_rgb(sample if os.path.exists(sample) else os.path.join(arguments.photos, name))
    mask = _hole(strokes, image.shape[:2])
    top = number // _COLUMNS * (2 * height + 3 * _GAP)
    left = number % _COLUMNS * (width + _GAP)
    for cell, shift in ((_painted(image, mask), 0), (inpainter(image, mask), height + _GAP // 2)):
      sheet[top + shift : top + shift + height, left : left + width] = _cell(cell, box)
  Image.fromarray(sheet).save(arguments.output, quality=_JPEG_QUALITY)


if __name__ == "__main__":
  main()
