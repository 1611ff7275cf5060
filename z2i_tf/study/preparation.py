"""Makes a study folder out of result folders.

The pictures are copied, decoded and encoded anew, so that nothing but pixels comes to the participants: neither
format nor metadata nor name says which method made them, and a study goes on when the result folders are gone.
"""

from collections.abc import Callable
import os

from z2i_tf.analyses import records
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.study.pairs import choose_pairs
from z2i_tf.study.record import StudyRecord
from z2i_tf.study.results import Results

_PICTURES = "pictures"


def plan_study(results: Results, ours: str, count: int, seed: int, question: str) -> StudyRecord:
  """Chooses the pairs and hashes their files; `count`: of pairs, 0 = all there are.

  Raises: InputError if our method has no results, there are fewer pairs, or a file cannot be read.
  """
  if ours not in results.methods:
    raise InputError(f"--ours={ours}: none of the methods in --result_dir ({', '.join(results.methods)})")
  opponents = tuple(method for method in results.methods if method != ours)
  pairs = tuple(choose_pairs(results.images, opponents, count, seed))
  images: dict[str, dict[str, dict[str, str]]] = {}
  for pair in pairs:
    for method in (ours, pair.opponent):
      of_kind = images.setdefault(method, {}).setdefault(pair.kind, {})
      if pair.image not in of_kind:
        of_kind[pair.image] = records.sha256(results.paths[pair.kind][pair.image][method])
  return StudyRecord(question, ours, opponents, tuple(results.paths), count, seed, pairs, images)


def picture_count(record: StudyRecord) -> int:
  """Returns how many results are in the pairs."""
  return sum(len(hashes) for kinds in record.images.values() for hashes in kinds.values())


def copy_pictures(results: Results, record: StudyRecord, study_dir: str, advance: Callable[[], None]) -> None:
  """Writes every result of the pairs as a PNG file into a sub-folder of the study's folder; those there are kept.

  `advance` is called after each.
  Raises: InputError if a result cannot be decoded, or the folder not be written.
  """
  image_files.create_folder(os.path.join(study_dir, _PICTURES))
  for method, kinds in record.images.items():
    for kind, hashes in kinds.items():
      for image, file_hash in hashes.items():
        copy = picture_path(study_dir, file_hash)
        if not os.path.exists(copy):
          image_files.write_rgb(copy, image_files.read_rgb(results.paths[kind][image][method]))
        advance()


def check_pictures(record: StudyRecord, study_dir: str) -> None:
  """Raises InputError if a picture of the study is gone."""
  for kinds in record.images.values():
    for hashes in kinds.values():
      for file_hash in hashes.values():
        if not os.path.isfile(picture_path(study_dir, file_hash)):
          raise InputError(
            f"{picture_path(study_dir, file_hash)}: this picture of the study is gone; put it back from "
            "a copy of the folder, or prepare a new study"
          )


def picture_path(study_dir: str, file_hash: str) -> str:
  """Returns where the copy of a result is; `file_hash`: SHA-256 of the result's file."""
  return os.path.join(study_dir, _PICTURES, f"{file_hash}.png")
