"""Describes the entries of each analysis' record, and finds the first fault in a damaged or edited one."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

_OPTIONAL = "?"
# Metrics that every record of scores contains.
_ALWAYS = ("PSNR", "hole PSNR")
_INFINITE_OR_UNDEFINED = ("inf", "-inf", "nan")
# No measurement exceeds these, and sums of such numbers do not overflow.
_LARGEST_NUMBER, _LARGEST_COUNT = 1e100, 2**53


class Number:
  """A number, or the text of an infinite or undefined one."""


class Finite:
  """A finite number."""


class Share:
  """A number from 0 to 1."""


class Each:
  """A dictionary with any keys, whose values all have one schema."""

  def __init__(self, value: Any, may_be_empty: bool = False):
    self.value, self.may_be_empty = value, may_be_empty


_TABLE = {"title": str, "columns": [str], "rows": [[str]], "notes": [str]}
_MANIFEST = {"versions": Each(str), "settings": Each(object, True)}
_COMMON = {"manifest": _MANIFEST, "pictures": [str]}
_IMAGE = {"name": str, "height": int, "width": int, "hole_ratio": Share}
_METHOD = {
  "kind": str,
  "hash?": str,
  "parameters?": int,
  "zoom?": str,
  "scale?": int,
  "width?": int,
  "precision?": str,
  "radius_px?": int,
  "adapter?": str,
}
_SCORES = {
  "manifest": {**_MANIFEST, "metrics?": Each(str, True)},
  "test_sets": Each({"hash": str, "images": [_IMAGE]}),
  "methods": Each(_METHOD),
  "scores": Each(Each(Each([Number]))),
  "set_scores": Each(Each(Each(Number, True), True), True),
  "notes": [str],
}
_TABLES = {"tables": [_TABLE]}
# Analysis -> entries that its record adds to, or replaces in, _COMMON. A key that ends in "?" is optional.
SCHEMAS: dict[str, dict[str, Any]] = {
  "comparison": _SCORES,
  "ablation": _SCORES,
  "frequency": _SCORES,
  "scale_study": _SCORES,
  "study": {"kinds": Each(Each({"ours": int, "other": int})), "participants": int},
  "mask_statistics": {"masks": Each({"hole_ratio": {"mean": Share, "max": Share}}), **_TABLES},
  "complexity": {
    "models": Each({"parameters": {"total": int}, "flops?": {"total": Finite}}, True),
    "latency": Each({"mean_ms": Finite}),
    "measured_on": Each(object),
    **_TABLES,
  },
  "intermediate": _TABLES,
  "side_by_side": _TABLES,
  "failures": _TABLES,
}


def problem_of(record: Mapping[str, Any]) -> str | None:
  """Returns the first fault of a record, or None."""
  analysis = record.get("analysis")
  if not isinstance(analysis, str) or analysis not in SCHEMAS:
    return f"this version does not know the analysis ({analysis})"
  schema = SCHEMAS[analysis]
  return (
    _problem(record, {**_COMMON, **schema}, "")
    or (_problem_of_scores(record) if schema is _SCORES else None)
    or (_problem_of_tables(record) if "tables" in schema else None)
  )


def _problem(value: Any, schema: Any, place: str) -> str | None:
  where = place or "the record"
  if isinstance(schema, dict):
    if not isinstance(value, dict):
      return f"{where} is not a dictionary"
    entries = [
      (key.rstrip(_OPTIONAL), inner)
      for key, inner in schema.items()
      if not (key.endswith(_OPTIONAL) and key[:-1] not in value)
    ]
    missing = [key for key, _ in entries if key not in value]
    if missing:
      return f"{where} has no {missing[0]!r}"
    return _first(_problem(value[key], inner, f"{place}[{key!r}]") for key, inner in entries)
  if isinstance(schema, Each):
    if not isinstance(value, dict):
      return f"{where} is not a dictionary"
    if not value and not schema.may_be_empty:
      return f"{where} is empty"
    return _first(_problem(inner, schema.value, f"{place}[{key!r}]") for key, inner in value.items())
  if isinstance(schema, list):
    if not isinstance(value, list):
      return f"{where} is not a list"
    return _first(_problem(inner, schema[0], f"{place}[{index}]") for index, inner in enumerate(value))
  if schema in (Number, Finite, Share):
    if schema is Number and isinstance(value, str) and value in _INFINITE_OR_UNDEFINED:
      return None
    low, high = (0, 1) if schema is Share else (-_LARGEST_NUMBER, _LARGEST_NUMBER)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    return None if is_number else f"{where} is not a {'share from 0 to 1' if schema is Share else 'number'}"
  if not isinstance(value, schema) or (schema is int and isinstance(value, bool)):
    return f"{where} is not of type {schema.__name__}"
  if schema is int and not 0 <= value <= _LARGEST_COUNT:
    return f"{where} is not a count"
  return None


def _problem_of_scores(record: Mapping[str, Any]) -> str | None:
  """Checks that each method and metric has one score per image."""
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


def _problem_of_tables(record: Mapping[str, Any]) -> str | None:
  for table in record["tables"]:
    if any(len(row) != len(table["columns"]) for row in table["rows"]):
      return f"a row of the table {table['title']!r} has more or fewer cells than there are columns"
  return None


def _first(problems: Iterable[str | None]) -> str | None:
  return next((problem for problem in problems if problem), None)
