"""Lists the numbers of the paper's tables (Kim et al., "Zoom-to-Inpaint", 2022) and their conditions.

Numbers are texts with the paper's digits. The paper calls our small masks "masks" and our large masks "large masks".
"""

from collections.abc import Mapping
import dataclasses
from typing import TypeVar

SMALL, LARGE = "small", "large"
# Row of a table -> heading -> cell.
Rows = Mapping[str, Mapping[str, str]]
_Heading = TypeVar("_Heading")


def _rows(headings: tuple[_Heading, ...], text: str) -> dict[str, dict[_Heading, str]]:
  """Parses lines of the form "name | cell | ..."; raises ValueError for any other line."""
  found = {}
  for line in text.strip().splitlines():
    name, *cells = (cell.strip() for cell in line.split("|"))
    if len(cells) != len(headings) or name in found:
      raise ValueError(f"The line {line!r} is not a row of {headings}, or repeats one.")
    found[name] = dict(zip(headings, cells))
  return found


def _pair(name: str) -> tuple[str, str]:
  """Splits "model, channels or scale"."""
  model, number = name.split(", ")
  return model, number


PLACES2, DIV2K = "Places2", "DIV2K"
IMAGES = {
  PLACES2: "200 images of Places2 (100 of its validation set, 100 of its test set), 256x256",
  DIV2K: "100 center crops of DIV2K's validation set, 256x256",
}
MASKS = {SMALL: "the paper's masks (our small ones)", LARGE: "the paper's large masks"}
_FOUR = ("PSNR", "SSIM", "MS-SSIM", "L1")

# (masks, data set) -> method -> metric -> value.
TABLE_1: dict[tuple[str, str], Rows] = {
  (SMALL, PLACES2): _rows(
    _FOUR,
    """
        HiFill       | 31.12 | 0.9586 | 0.9742 | 0.00744
        Pluralistic  | 33.23 | 0.9670 | 0.9807 | 0.00558
        DeepFill-v2  | 34.03 | 0.9719 | 0.9834 | 0.00485
        EdgeConnect  | 33.98 | 0.9718 | 0.9841 | 0.00388
        Ours         | 34.78 | 0.9755 | 0.9863 | 0.00357""",
  ),
  (SMALL, DIV2K): _rows(
    _FOUR,
    """
        HiFill       | 30.91 | 0.9633 | 0.9777 | 0.00700
        Pluralistic  | 32.73 | 0.9703 | 0.9820 | 0.00543
        DeepFill-v2  | 33.11 | 0.9741 | 0.9852 | 0.00467
        EdgeConnect  | 33.11 | 0.9734 | 0.9845 | 0.00388
        Ours         | 34.08 | 0.9787 | 0.9886 | 0.00329""",
  ),
  (LARGE, PLACES2): _rows(
    _FOUR,
    """
        HiFill       | 24.94 | 0.8891 | 0.9134 | 0.02034
        Pluralistic  | 26.17 | 0.9022 | 0.9191 | 0.01784
        DeepFill-v2  | 26.77 | 0.9158 | 0.9326 | 0.01536
        EdgeConnect  | 27.61 | 0.9166 | 0.9382 | 0.01328
        Ours         | 27.71 | 0.9202 | 0.9415 | 0.01314""",
  ),
  (LARGE, DIV2K): _rows(
    _FOUR,
    """
        HiFill       | 24.23 | 0.8739 | 0.8993 | 0.02302
        Pluralistic  | 25.62 | 0.8890 | 0.9071 | 0.01949
        DeepFill-v2  | 26.07 | 0.9018 | 0.9229 | 0.01735
        EdgeConnect  | 26.87 | 0.9036 | 0.9291 | 0.01494
        Ours         | 27.07 | 0.9094 | 0.9346 | 0.01462""",
  ),
}

# Data set -> the paper's tables with the values of TABLE_1.
TABLES_WITH_TABLE_1 = {PLACES2: "Tables 1 and 8", DIV2K: "Table 1"}
# Method -> remark on its values in these tables and in Table 10.
REMARKS_ON_SCORES = {"HiFill": "inputs were enlarged to its training size, and its outputs shrunk again (section 4.1)"}

# Masks -> opponent -> number of choices for the opponent and for ours.
TABLE_11 = {
  SMALL: {"HiFill": (239, 736), "Pluralistic": (106, 869), "DeepFill-v2": (300, 675), "EdgeConnect": (349, 626)},
  LARGE: {"HiFill": (412, 713), "Pluralistic": (322, 803), "DeepFill-v2": (780, 345), "EdgeConnect": (738, 387)},
}
PARTICIPANTS, PAIRS = {SMALL: 13, LARGE: 15}, 300
QUESTION = "Which of these images looks better?"

# Mean and maximum share of invalid pixels, percent.
TABLE_4 = {SMALL: ("5.61", "19.16"), LARGE: ("15.12", "50.24")}
TABLE_4_MEASURED_ON = "paper, Table 4: 10,000 random masks of each kind"


@dataclasses.dataclass(frozen=True)
class Complexity:
  """A method in Table 5.

  Attributes:
    parameters: their number.
    time: per image.
    remark: on either value; "" for none.
  """

  parameters: str
  time: str
  remark: str = ""


_COPIED = "number of parameters copied from its publication"
TABLE_5 = {
  "HiFill": Complexity(
    "2.7M", "127 ms", f"{_COPIED}; run at its own, larger size; 60 ms without pre- and post-processing"
  ),
  "Pluralistic": Complexity("6M", "37 ms", _COPIED),
  "DeepFill-v2": Complexity("4.1M", "71 ms", _COPIED),
  "EdgeConnect": Complexity("21.53M", "21 ms"),
  "Ours": Complexity("4.5M", "293 ms", "all networks and the bicubic downscaling"),
}
TABLE_5_MEASURED_ON = f"paper, Table 5: mean over {IMAGES[DIV2K]}, without file I/O, on an NVIDIA Tesla T4"

# Model and channels -> masks -> metric -> value. Table 3 repeats the rows of CHANNELS_3.
CHANNELS_3 = "64"
TABLE_6: dict[tuple[str, str], Mapping[str, Mapping[str, str]]] = {}
PARAMETERS_6: dict[tuple[str, str], str] = {}
for _name, _cells in _rows(
  ("parameters", *((masks, metric) for masks in (SMALL, LARGE) for metric in _FOUR)),
  """
    No zoom, 64       | 4.03M | 32.12 | 0.9714 | 0.9812 | 0.00441 | 25.89 | 0.8977 | 0.9180 | 0.01747
    Bicubic zoom, 64  | 4.03M | 32.80 | 0.9753 | 0.9832 | 0.00391 | 26.09 | 0.9016 | 0.9219 | 0.01657
    No zoom, 70       | 4.82M | 32.72 | 0.9723 | 0.9818 | 0.00432 | 26.00 | 0.8993 | 0.9195 | 0.01761
    Bicubic zoom, 70  | 4.82M | 32.78 | 0.9730 | 0.9833 | 0.00413 | 25.99 | 0.9000 | 0.9212 | 0.01685
    SR zoom, 64       | 4.48M | 33.40 | 0.9770 | 0.9853 | 0.00363 | 26.95 | 0.9080 | 0.9307 | 0.01497
    SR zoom+, 64      | 4.48M | 34.08 | 0.9787 | 0.9886 | 0.00329 | 27.07 | 0.9094 | 0.9346 | 0.01462""",
).items():
  _key = _pair(_name)
  PARAMETERS_6[_key] = _cells["parameters"]
  TABLE_6[_key] = {masks: {metric: _cells[masks, metric] for metric in _FOUR} for masks in (SMALL, LARGE)}

LOW, MID, HIGH = "Low Frequency", "Mid Frequency", "High Frequency"
# Frequency range -> model -> SSIM, and its difference from the first model.
TABLE_7 = _rows(
  ("No zoom", "Bicubic zoom", "SR zoom", "SR zoom+"),
  f"""
    {LOW}  | 0.9858 | 0.9870 | 0.9888 | 0.9907
    {MID}  | 0.9730 | 0.9756 | 0.9772 | 0.9793
    {HIGH} | 0.9674 | 0.9717 | 0.9727 | 0.9743""",
)
TABLE_7_DIFFERENCES = _rows(
  ("Bicubic zoom", "SR zoom", "SR zoom+"),
  f"""
    {LOW}  | 0.0012 | 0.0030 | 0.0049
    {MID}  | 0.0026 | 0.0042 | 0.0063
    {HIGH} | 0.0043 | 0.0053 | 0.0069""",
)
TABLE_7_MEASURED_ON = (
  f"paper, Table 7: {MASKS[SMALL]}; the paper does not name the images (its ablations use {IMAGES[DIV2K]})"
)

# First part of Table 8: numbers of other publications; Table 9: their images and masks.
TABLE_8_COPIED = _rows(
  _FOUR,
  """
    HiFill       | -     | -      | 0.8840 | 0.05439
    Pluralistic  | -     | -      | -      | -
    DeepFill-v2  | -     | -      | -      | 0.09100
    EdgeConnect  | 27.95 | 0.9200 | -      | 0.01500""",
)
TABLE_9 = {
  "HiFill": "Places2's validation set, random crops; random masks of Liu et al. (2018) and of objects",
  "Pluralistic": "nothing on Places2, only on ImageNet; random lines, circles and ellipses",
  "DeepFill-v2": "Places2's validation set; random brush strokes, as the paper's large masks",
  "EdgeConnect": "Places2, without naming the images; random masks of Liu et al. (2018)",
}

# Laid out as TABLE_1.
TABLE_10: dict[tuple[str, str], Rows] = {
  (SMALL, PLACES2): _rows(
    ("LPIPS", "FID"),
    """
        HiFill       | 0.0306 | 24.71
        Pluralistic  | 0.0236 | 82.43
        DeepFill-v2  | 0.0178 | 16.58
        EdgeConnect  | 0.0177 | 16.41
        Ours         | 0.0175 | 14.32""",
  ),
  (SMALL, DIV2K): _rows(
    ("LPIPS", "FID"),
    """
        HiFill       | 0.0258 | 12.85
        Pluralistic  | 0.0219 | 128.21
        DeepFill-v2  | 0.0172 | 8.61
        EdgeConnect  | 0.0171 | 8.51
        Ours         | 0.0147 | 7.14""",
  ),
  (LARGE, PLACES2): _rows(
    ("LPIPS", "FID"),
    """
        HiFill       | 0.0889 | 56.86
        Pluralistic  | 0.0745 | 62.73
        DeepFill-v2  | 0.0585 | 38.22
        EdgeConnect  | 0.0554 | 35.41
        Ours         | 0.0603 | 38.85""",
  ),
  (LARGE, DIV2K): _rows(
    ("LPIPS", "FID"),
    """
        HiFill       | 0.0989 | 56.65
        Pluralistic  | 0.0810 | 150.28
        DeepFill-v2  | 0.0636 | 33.89
        EdgeConnect  | 0.0611 | 32.57
        Ours         | 0.0628 | 42.25""",
  ),
}

# Model and scale -> masks -> metric -> value.
TABLE_12 = {
  _pair(name): {masks: {metric: cells[masks, metric] for metric in _FOUR} for masks in (SMALL, LARGE)}
  for name, cells in _rows(
    tuple((masks, metric) for masks in (SMALL, LARGE) for metric in _FOUR),
    """
    No zoom, 1  | 29.91 | 0.9382 | 0.9608 | 0.00955 | 23.54 | 0.8186 | 0.8555 | 0.03066
    SR zoom, 2  | 30.85 | 0.9439 | 0.9658 | 0.00855 | 24.23 | 0.8273 | 0.8700 | 0.02821
    SR zoom, 3  | 30.70 | 0.9433 | 0.9648 | 0.00868 | 24.36 | 0.8290 | 0.8710 | 0.02739
    SR zoom, 4  | 29.92 | 0.9404 | 0.9625 | 0.00932 | 23.91 | 0.8265 | 0.8664 | 0.02963""",
  ).items()
}
TABLE_12_IMAGES = "center crops of DIV2K's validation set; models trained on smaller patches, without the gradient loss"
