"""Damages files: bits, truncation, numbers in headers, types of TIFF tags, declared sizes, values of JSON."""

import io
import json
import struct
from typing import Any
import zipfile
import zlib

import numpy as np

_NUMBERS = (
  0,
  1,
  2,
  3,
  7,
  8,
  16,
  127,
  128,
  255,
  256,
  1000,
  9_000,
  32_767,
  32_768,
  65_535,
  65_536,
  2**20,
  2**24,
  2**30,
  2**31 - 1,
  2**31,
  2**32 - 1,
)
_HEADER_BYTES = 200
_TEXTS = ("", "nan", "inf", "1e999", "\udc80", "\0", "../../x", "é" * 50, "<script>", "{}", "%s%n")


def damaged(encoded: bytes, rng: np.random.Generator) -> bytes:
  """Returns a file with one to three faults, mostly one."""
  for _ in range(max(1, rng.integers(-1, 4))):
    if encoded[:2] == b"PK" and rng.integers(3):  # Behind a checksum nothing else gets far.
      encoded = _structure(encoded, rng)
      continue
    encoded = _choose(rng, (_flip, _flip, _cut, _overwrite, _overwrite, _overwrite, _splice, _structure, _structure))(
      encoded, rng
    )
  return encoded


def _choose(rng, options):
  return options[rng.integers(len(options))]


def _flip(encoded, rng):
  changed = bytearray(encoded)
  for _ in range(rng.integers(1, 9) if changed else 0):
    changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
  return bytes(changed)


def _cut(encoded, rng):
  return encoded[: rng.integers(len(encoded) + 1)]


def _overwrite(encoded, rng):
  """Puts a number that may be a size, of one to four bytes, over other bytes, mostly near the beginning."""
  if not encoded:
    return encoded
  size, number = _choose(rng, ((1, "B"), (2, "H"), (4, "L"))), _choose(rng, _NUMBERS)
  order = _choose(rng, "<>")
  position = rng.integers(min(len(encoded), _HEADER_BYTES) if rng.integers(2) else len(encoded))
  new = struct.pack(order + size[1], number % 2 ** (8 * size[0]))
  return encoded[:position] + new + encoded[position + size[0] :]


def _splice(encoded, rng):
  """Removes, doubles or moves a part."""
  start, end = sorted(rng.integers(0, len(encoded) + 1, 2))
  part, to = encoded[start:end], rng.integers(len(encoded) + 1)
  return _choose(
    rng, (encoded[:start] + encoded[end:], encoded[:end] + part + encoded[end:], encoded[:to] + part + encoded[to:])
  )


def _structure(encoded, rng):
  """Changes a part of the format's own structure so that its checksums fit."""
  if encoded[:4] == b"\x89PNG":
    return _png(encoded, rng)
  if encoded[:4] in (b"II*\0", b"MM\0*"):
    return _tiff(encoded, rng)
  if encoded[:2] == b"PK":
    return _npz(encoded, rng)
  return _overwrite(encoded, rng)


def _png(encoded, rng):
  chunks, position = [], 8
  while position + 12 <= len(encoded):
    length, kind = struct.unpack_from(">L4s", encoded, position)
    chunks.append((kind, encoded[position + 8 : position + 8 + length]))
    position += length + 12
  if not chunks:
    return encoded
  number = rng.integers(len(chunks)) if rng.integers(3) else 0
  kind, content = chunks[number]
  if not number and len(content) == 13:  # The header: a side, the depth, the kind of colours.
    sides = [_choose(rng, _NUMBERS), struct.unpack_from(">L", content, 4)[0]][:: _choose(rng, (1, -1))]
    content = _choose(
      rng,
      (
        struct.pack(">LL", *sides) + content[8:],
        content[:8] + bytes([_choose(rng, (1, 2, 4, 8, 16)), _choose(rng, (0, 2, 3, 4, 6))]) + content[10:],
      ),
    )
  else:
    content = _choose(rng, (_flip, _cut, _overwrite))(content, rng)
  chunks[number] = _choose(rng, (kind, kind, kind, b"eXIf", b"iCCP", b"zTXt", b"pHYs", b"tRNS", b"acTL")), content
  return encoded[:8] + b"".join(
    struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
    for kind, content in chunks
  )


def _tiff(encoded, rng):
  """Changes tag, type, count or value of an entry."""
  order = "<" if encoded[:2] == b"II" else ">"
  try:
    (start,) = struct.unpack_from(order + "L", encoded, 4)
    (count,) = struct.unpack_from(order + "H", encoded, start)
    place = start + 2 + 12 * int(rng.integers(max(1, count)))
    entry = list(struct.unpack_from(order + "HHLL", encoded, place))
  except struct.error:
    return encoded
  which = rng.integers(5)
  if which == 0:
    entry[0] = _choose(
      rng,
      (
        256,
        257,
        258,
        259,
        262,
        273,
        277,
        278,
        279,
        282,
        283,
        284,
        296,
        317,
        322,
        323,
        324,
        325,
        338,
        339,
        347,
        530,
        700,
        33723,
        34377,
        34665,
        34675,
        34853,
      ),
    )
  elif which in (1, 2):
    entry[1] = int(rng.integers(0, 19))
  else:
    entry[which - 1] = _choose(rng, _NUMBERS)
  return encoded[:place] + struct.pack(order + "HHLL", *entry) + encoded[place + 12 :]


def _npz(encoded, rng):
  """Writes the archive anew with one entry changed: its header, its content, or far more of it."""
  try:
    with zipfile.ZipFile(io.BytesIO(encoded)) as archive:
      entries = [(name, archive.read(name)) for name in archive.namelist()]
  except Exception:  # It was damaged before.
    return encoded
  number = rng.integers(len(entries)) if entries else 0
  file = io.BytesIO()
  compression = _choose(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
  with zipfile.ZipFile(file, "w", compression) as archive:
    for place, (name, content) in enumerate(entries):
      if place == number:
        content = _choose(
          rng,
          (
            lambda old: _flip(old, rng),
            lambda old: _cut(old, rng),
            lambda old: old + bytes(2**24),
            lambda old: old.replace(b"(3,", b"(3000000000,").replace(b"()", b"((("),
            lambda old: old.replace(b"'<f4'", b"'|O' "),
            lambda old: old.replace(b"(3, 3", b"(-3,-3"),
            lambda old: np.full(5, np.nan, np.float32).tobytes(),
            lambda old: old.replace(b"{\0\0\0", b"[\0\0\0"),
          ),
        )(content)
      archive.writestr(_choose(rng, (name, name, name, "config.npy", "../x.npy")) if place == number else name, content)
  return file.getvalue()


def damaged_json(encoded: bytes, rng: np.random.Generator) -> bytes:
  """Returns JSON with a value, or its text, changed."""
  if not rng.integers(8):
    return damaged(encoded, rng)
  if not rng.integers(12):
    depth = int(rng.integers(10, 200_000))
    return encoded.rstrip()[:-1] + b', "x": ' + b"[" * depth + b"]" * depth * int(rng.integers(2)) + b"}"
  value = json.loads(encoded)
  for _ in range(max(1, rng.integers(-2, 4))):
    _change(value, rng)
  return json.dumps(value).encode()


def _change(value, rng) -> None:
  """Changes something somewhere in a list or dictionary."""
  while True:
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
      return
    key = _choose(rng, keys)
    inner = value[key]
    if not isinstance(inner, (dict, list)) or not inner or not rng.integers(5):
      break
    value = inner
  if isinstance(value, dict) and not rng.integers(4):
    value[_choose(rng, _TEXTS)] = value.pop(key)
  elif isinstance(value, list) and not rng.integers(6):
    del value[key]
  else:
    value[key] = _other(inner, rng)


def _other(value: Any, rng) -> Any:
  return _choose(
    rng,
    (
      None,
      True,
      [],
      {},
      [value],
      {"x": value},
      -1,
      0.5,
      1e308,
      -1e308,
      10**400,
      2**63,
      float("nan"),
      float("inf"),
      *_NUMBERS,
      *_TEXTS,
      *_TEXTS,
    ),
  )
