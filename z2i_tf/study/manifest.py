"""Describes a prepared study and copies its pictures.

The pictures are decoded and written again as PNG files, so that participants receive nothing but pixels: neither
format, metadata nor name tells the method. So a study continues without the result folders.
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import json
import os

from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.study.pairs import choose_pairs
from z2i_tf.study.pairs import Pair
from z2i_tf.study.results import Results
from z2i_tf.system import input_files

_FORMAT = "z2i_tf study 1"
_PICTURES = "pictures"


@dataclasses.dataclass(frozen=True)
class StudyManifest:
  """Describes a prepared study; it does not change while people take part.

  Attributes:
    question: question that participants answer.
    ours: method that is compared with every other one.
    opponents: the other methods.
    kinds: kinds of masks.
    asked_pairs: number of pairs asked for; 0 = all there are.
    seed: seed of the pairs and of their orders.
    pairs: all pairs; every participant sees them in a random order.
    images: method -> kind -> image -> SHA-256 of the result's file, for all results in `pairs`.
  """

  question: str
  ours: str
  opponents: tuple[str, ...]
  kinds: tuple[str, ...]
  asked_pairs: int
  seed: int
  pairs: tuple[Pair, ...]
  images: dict[str, dict[str, dict[str, str]]]

  def to_json(self) -> str:
    """Returns the text that `from_json` reads."""
    return json.dumps({"format": _FORMAT, **dataclasses.asdict(self)})

  @classmethod
  def from_json(cls, text: str) -> "StudyManifest":
    """Reads the text of `to_json`.

    Raises:
      ValueError: if the text is no manifest, or one of another version.
    """
    fields = input_files.parse_json(text)
    if not isinstance(fields, dict) or fields.pop("format", None) != _FORMAT:
      raise ValueError(f"another version of the format than {_FORMAT!r}")
    try:
      fields["pairs"] = tuple(Pair(**pair) for pair in fields["pairs"])
      for name in ("opponents", "kinds"):
        fields[name] = tuple(fields[name])
      return cls(**fields)
    except (KeyError, TypeError) as error:
      raise ValueError(f"no manifest of a study: {error}") from error

  def file_hash(self, pair: int, ours: bool) -> str:
    """Returns the SHA-256 of a result's file.

    Args:
      pair: index into `pairs`.
      ours: whether to return our result's hash or the other one's.
    """
    found = self.pairs[pair]
    return self.images[self.ours if ours else found.opponent][found.kind][found.image]

  def results(self) -> Iterator[tuple[str, str, str, str]]:
    """Yields method, kind, image and SHA-256 of every result in the pairs."""
    for method, kinds in self.images.items():
      for kind, hashes in kinds.items():
        for image, file_hash in hashes.items():
          yield method, kind, image, file_hash


def plan_study(results: Results, ours: str, count: int, seed: int, question: str) -> StudyManifest:
  """Chooses the pairs and hashes their files.

  Args:
    results: results of all methods.
    ours: method that is compared with every other one.
    count: number of pairs; 0 = all there are.
    seed: seed of the pairs and of their orders.
    question: question that participants answer.
  Raises:
    InputError: if our method has no results, there are fewer than `count` pairs, or a file cannot be read.
  """
  if ours not in results.methods:
    raise InputError(f"`ours`={ours}: none of the methods in `result_dir` ({', '.join(results.methods)})")
  opponents = tuple(method for method in results.methods if method != ours)
  pairs = tuple(choose_pairs(results.images, opponents, count, seed))
  images: dict[str, dict[str, dict[str, str]]] = {}
  for pair in pairs:
    for method in (ours, pair.opponent):
      hashes = images.setdefault(method, {}).setdefault(pair.kind, {})
      if pair.image not in hashes:
        hashes[pair.image] = records.sha256(results.paths[pair.kind][pair.image][method])
  return StudyManifest(question, ours, opponents, tuple(results.paths), count, seed, pairs, images)


def copy_pictures(results: Results, manifest: StudyManifest, study_dir: str, advance: Callable[[], None]) -> None:
  """Writes every result of the pairs as a PNG file into the study's folder; keeps files that exist.

  Args:
    results: results of all methods.
    manifest: the study.
    study_dir: the study's folder.
    advance: called after each result.
  Raises:
    InputError: if a result cannot be decoded, or the folder cannot be written.
  """
  image_files.create_folder(os.path.join(study_dir, _PICTURES))
  for method, kind, image, file_hash in manifest.results():
    copy = picture_path(study_dir, file_hash)
    if not os.path.exists(copy):
      image_files.write_rgb(copy, image_files.read_rgb(results.paths[kind][image][method]))
    advance()


def check_pictures(manifest: StudyManifest, study_dir: str) -> None:
  """Raises InputError if a picture of the study is missing."""
  for *_, file_hash in manifest.results():
    path = picture_path(study_dir, file_hash)
    if not os.path.isfile(path):
      raise InputError(
        f"{path}: this picture of the study is gone; put it back from a copy of the folder, or prepare a new study"
      )


def picture_path(study_dir: str, file_hash: str) -> str:
  """Returns the path of the copied result with the SHA-256 `file_hash`."""
  return os.path.join(study_dir, _PICTURES, f"{file_hash}.png")
