"""What a study consists of, once prepared; nothing of it changes while people take part."""

import dataclasses
import json

from z2i_tf.study.pairs import Pair
from z2i_tf.system import input_files

_FORMAT = "z2i_tf study 1"


@dataclasses.dataclass(frozen=True)
class StudyRecord:
  """A prepared study.

  Attributes:
    question: what participants answer.
    ours: the method that is compared with every other one.
    opponents: the other methods.
    kinds: of masks.
    asked_pairs: how many pairs were asked for, 0 = all there are.
    seed: of pairs and orders.
    pairs: all of them; participants see them in their own order.
    images: method -> kind -> image -> SHA-256 of the result's file, of all results in `pairs`.
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
  def from_json(cls, text: str) -> "StudyRecord":
    """Raises: ValueError if this is no record of a study, or one of another version."""
    fields = input_files.parse_json(text)
    if not isinstance(fields, dict) or fields.pop("format", None) != _FORMAT:
      raise ValueError(f"another version of the format than {_FORMAT!r}")
    try:
      fields["pairs"] = tuple(Pair(**pair) for pair in fields["pairs"])
      for name in ("opponents", "kinds"):
        fields[name] = tuple(fields[name])
      return cls(**fields)
    except (KeyError, TypeError) as error:
      raise ValueError(f"no record of a study: {error}") from error

  def file_hash(self, pair: int, ours: bool) -> str:
    """Returns the SHA-256 of the file of our, or the other, result in one of `pairs`."""
    of = self.pairs[pair]
    return self.images[self.ours if ours else of.opponent][of.kind][of.image]
