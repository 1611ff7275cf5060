"""What a report expects of the records of each analysis, and what is wrong with one that is damaged or edited."""

from collections.abc import Mapping
from typing import Any

_OPTIONAL = "?"
# Metrics that every image has.
_ALWAYS = ("PSNR", "hole PSNR")
_INFINITE_OR_UNDEFINED = ("inf", "-inf", "nan")
# Beyond these nothing that is measured lies, and sums of it may overflow.
_MOST, _MOST_OF_INTEGERS = 1e100, 2**53


class Number:
  """A number, or the text of one that is not finite."""


class Finite:
  """A number that is finite."""


class Share:
  """A number from 0 to 1."""


class Each:
  """A dictionary of any keys whose values are all alike."""

  def __init__(self, value, may_be_empty: bool = False):
    self.value, self.may_be_empty = value, may_be_empty


_TABLE = {"title": str, "columns": [str], "rows": [[str]], "notes": [str]}
_MANIFEST = {"versions": Each(str), "settings": Each(object, True)}
_COMMON = {"manifest": _MANIFEST, "pictures": [str]}
_SCORES = {
  "manifest": {**_MANIFEST, "metrics?": Each(str, True)},
  "test_sets": Each({"hash": str, "images": [{"name": str, "height": int, "width": int, "hole_ratio": Share}]}),
  "methods": Each(
    {
      "kind": str,
      "hash?": str,
      "parameters?": int,
      "zoom?": str,
      "scale?": int,
      "width?": int,
      "precision?": str,
      "radius_px?": int,
    }
  ),
  "scores": Each(Each(Each([Number]))),
  "set_scores": Each(Each(Each(Number, True), True), True),
  "notes": [str],
}
_WITH_TABLES = {"tables": [_TABLE]}
# Analysis -> what its record has beside, or instead of what is in, _COMMON; a key that ends in "?" may be missing.
SHAPES = {
  "comparison": _SCORES,
  "ablation": _SCORES,
  "frequency": _SCORES,
  "scale_study": _SCORES,
  "study": {"kinds": Each(Each({"ours": int, "other": int})), "participants": int},
  "mask_statistics": {"masks": Each({"hole_ratio": {"mean": Share, "max": Share}}), **_WITH_TABLES},
  "complexity": {
    "models": Each({"parameters": {"total": int}, "flops": {"total": Finite}}, True),
    "latency": Each({"mean_ms": Finite}),
    "measured_on": Each(object),
    **_WITH_TABLES,
  },
  "intermediate": _WITH_TABLES,
  "side_by_side": _WITH_TABLES,
  "failures": _WITH_TABLES,
}


def problem_of(record: Mapping[str, Any]) -> str | None:
  """Returns what is wrong with a record, or None."""
  analysis = record.get("analysis")
  if not isinstance(analysis, str) or analysis not in SHAPES:
    return f"an analysis that this version does not know ({analysis})"
  shape = SHAPES[analysis]
  return (
    _problem(record, {**_COMMON, **shape}, "")
    or (_problem_of_scores(record) if shape is _SCORES else None)
    or (_problem_of_tables(record) if "tables" in shape else None)
  )


def _problem(value, shape, place) -> str | None:
  where = place or "the record"
  if isinstance(shape, dict):
    if not isinstance(value, dict):
      return f"{where} is no dictionary"
    entries = [
      (key.rstrip(_OPTIONAL), inner)
      for key, inner in shape.items()
      if not (key.endswith(_OPTIONAL) and key[:-1] not in value)
    ]
    missing = [key for key, _ in entries if key not in value]
    if missing:
      return f"{where} has no {missing[0]!r}"
    return _first(_problem(value[key], inner, f"{place}[{key!r}]") for key, inner in entries)
  if isinstance(shape, Each):
    if not isinstance(value, dict) or not (value or shape.may_be_empty):
      return f"{where} is no dictionary" if not isinstance(value, dict) else f"{where} is empty"
    return _first(_problem(inner, shape.value, f"{place}[{key!r}]") for key, inner in value.items())
  if isinstance(shape, list):
    if not isinstance(value, list):
      return f"{where} is no list"
    return _first(_problem(inner, shape[0], f"{place}[{index}]") for index, inner in enumerate(value))
  if shape in (Number, Finite, Share):
    if shape is Number and isinstance(value, str) and value in _INFINITE_OR_UNDEFINED:
      return None
    least, most = (0, 1) if shape is Share else (-_MOST, _MOST)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    return None if is_number else f"{where} is no {'share from 0 to 1' if shape is Share else 'number'}"
  if not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
    return f"{where} is not of type {shape.__name__}"
  if shape is int and not 0 <= value <= _MOST_OF_INTEGERS:
    return f"{where} is no count"
  return None


def _problem_of_scores(record) -> str | None:
  """Whether there is one score per image, method and metric."""
  for test_set, entry in record["test_sets"].items():
    count = len(entry["images"])
    if not count:
      return f"the test set {test_set!r} has no images"
    scores = record["scores"].get(test_set, {})
    for method in record["methods"]:
      if method not in scores:
        return f"there are no scores of {method!r} for the test set {test_set!r}"
      missing = [metric for metric in _ALWAYS if metric not in scores[method]]
      if missing:
        return f"there is no {missing[0]} of {method!r} for the test set {test_set!r}"
      for metric, values in scores[method].items():
        if len(values) != count:
          return f"{metric} of {method!r} has {len(values)} values for the {count} images of {test_set!r}"
  return None


def _problem_of_tables(record) -> str | None:
  for table in record["tables"]:
    if any(len(row) != len(table["columns"]) for row in table["rows"]):
      return f"a row of the table {table['title']!r} has more or fewer cells than there are columns"
  return None


def _first(problems) -> str | None:
  return next((problem for problem in problems if problem), None)
