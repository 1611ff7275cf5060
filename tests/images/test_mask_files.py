"""Masks of every kind, read, matched to photographs, grown and softened."""

import cv2
import numpy as np
from PIL import Image
import pytest

from z2i_tf.errors import InputError
from z2i_tf.images import mask_files
from z2i_tf.images import photo_files
from z2i_tf.images.mask_files import MaskReading

# 40x60; two holes, which touch in a corner, and a third.
_HOLE = np.zeros((40, 60), np.uint8)
_HOLE[4:12, 8:24] = _HOLE[12:20, 24:40] = _HOLE[28:36, 40:56] = 1
_TEXT = f"hole {100 * _HOLE.mean():.1f}% of the image, 2 regions"
_WHITE = _HOLE * np.uint8(255)
_OPAQUE, _COLOUR = np.full_like(_WHITE, 255), np.full_like(_WHITE, 90)


def _rgba(gray, alpha):
  return Image.fromarray(np.dstack([gray] * 3 + [alpha]))


def _palette(hole_index):
  image = Image.fromarray(np.where(_HOLE, hole_index, 1).astype(np.uint8))
  image.putpalette([9, 9, 9] + [0, 0, 0] + [255, 255, 255] * 3)
  return image


# Encoding -> (the image, its file's name, what was read beside the size).
_ENCODINGS = {
  "L": (Image.fromarray(_WHITE), "a.png", ""),
  "0 and 1": (Image.fromarray(_HOLE), "a.png", ""),
  "1 bit": (Image.fromarray(_HOLE.astype(bool)), "a.png", ""),
  "RGB": (Image.fromarray(np.dstack([_WHITE] * 3)), "a.bmp", ""),
  "RGBA, luma": (_rgba(_WHITE, _OPAQUE), "a.png", ""),
  "RGBA, both": (_rgba(_WHITE, _WHITE), "a.webp", ""),
  "RGBA, alpha of a colour": (_rgba(_COLOUR, _WHITE), "a.png", ", from alpha"),
  "RGBA, alpha of black": (_rgba(0 * _WHITE, _WHITE), "a.tif", ", from alpha"),
  "LA, luma": (Image.merge("LA", [Image.fromarray(_WHITE), Image.fromarray(_OPAQUE)]), "a.png", ""),
  "LA, alpha": (Image.merge("LA", [Image.fromarray(_OPAQUE), Image.fromarray(_WHITE)]), "a.png", ", from alpha"),
  "palette": (_palette(3), "a.png", ""),
  "palette GIF": (_palette(2), "a.gif", ""),
  "16 bits": (Image.fromarray(_HOLE * np.uint16(65535)), "a.png", ""),
  "16 bits, 0 and 1": (Image.fromarray(_HOLE.astype(np.uint16)), "a.tif", ""),
  "16 bits, 0 and 255": (Image.fromarray(_HOLE.astype(np.uint16) * 255), "a.png", ""),
  "soft": (Image.fromarray(cv2.blur(_WHITE, (3, 3))), "a.png", ""),
  "JPEG": (Image.fromarray(_WHITE), "a.jpg", ""),
  "RGB JPEG": (Image.fromarray(np.dstack([_WHITE] * 3)), "b.jpg", ""),
}


@pytest.mark.parametrize("encoding", _ENCODINGS)
def test_one_mask_in_every_encoding(tmp_path, encoding):
  image, name, channel = _ENCODINGS[encoding]
  image.save(tmp_path / name, **{"lossless": True, "exact": True} if name.endswith("webp") else {})
  mask, text = mask_files.read_mask(str(tmp_path / name))
  expected = cv2.dilate(_HOLE, np.ones((3, 3), np.uint8)) if encoding == "soft" else _HOLE
  np.testing.assert_array_equal(mask, expected)
  assert mask.dtype == np.uint8
  assert text == (mask_files.describe(mask) if encoding == "soft" else _TEXT) + channel
  inverted, text = mask_files.read_mask(str(tmp_path / name), MaskReading(invert=True))
  if encoding == "soft":  # The edges belong to what is black now.
    expected = cv2.erode(_HOLE, np.ones((3, 3), np.uint8), borderValue=0)
  np.testing.assert_array_equal(inverted, 1 - expected)
  assert text.startswith("hole ") and text.endswith(channel + ", inverted")


def test_jpeg_of_low_quality_and_noise_on_black(tmp_path):
  mask = cv2.circle(np.zeros((200, 200), np.uint8), (100, 90), 60, 255, -1)
  Image.fromarray(mask).save(tmp_path / "a.jpg", quality=20)
  read, _ = mask_files.read_mask(str(tmp_path / "a.jpg"))
  assert read[mask == 255].all()
  assert (read != mask // 255).mean() < 0.01  # Of an edge two pixels wide.
  Image.fromarray(np.full((20, 20), 5, np.uint8)).save(tmp_path / "black.png")
  assert mask_files.read_mask(str(tmp_path / "black.png"))[0].sum() == 0


def test_soft_brushes_are_masks(tmp_path):
  mask = cv2.GaussianBlur(cv2.circle(np.zeros((256, 256), np.uint8), (128, 128), 50, 255, -1), (0, 0), 4)
  Image.fromarray(mask).save(tmp_path / "a.png")
  read, _ = mask_files.read_mask(str(tmp_path / "a.png"))
  assert read[mask >= 26].all() and not read[mask < 13].any()
  assert mask_files.read_mask(str(tmp_path / "a.png"), MaskReading(threshold=128))[0].tolist() == (mask >= 128).tolist()


def test_thin_letters_are_taken_in_whole(tmp_path):
  letters = np.zeros((80, 300), np.uint8)
  cv2.putText(letters, "Illumination", (8, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 1, cv2.LINE_AA)
  for name, options in (("a.png", {}), ("a.jpg", {"quality": 80})):
    Image.fromarray(letters).save(tmp_path / name, **options)
    read, _ = mask_files.read_mask(str(tmp_path / name))
    assert read[letters > 40].all()
    assert not read[cv2.dilate(letters, np.ones((7, 7))) == 0].any()


@pytest.mark.parametrize("invert", [False, True])
def test_areas_painted_below_half_are_not_left_silently(tmp_path, invert):
  strengths = np.where(_HOLE, np.uint8(255), np.uint8(0))
  strengths[28:36, 40:56] = 110
  Image.fromarray(255 - strengths if invert else strengths).save(tmp_path / "a.png")
  path = str(tmp_path / "a.png")
  with pytest.raises(
    InputError,
    match="a.png: ambiguous as a mask: 5.3% of the image is painted below half of white, "
    "at 110 to 110 of 255; `mask_threshold`=110 fills it too, `mask_threshold`=128 leaves it",
  ):
    mask_files.read_mask(path, MaskReading(invert))
  assert mask_files.read_mask(path, MaskReading(invert, threshold=110))[0].tolist() == (strengths > 0).tolist()
  assert mask_files.read_mask(path, MaskReading(invert, threshold=128))[0].tolist() == (strengths > 110).tolist()
  Image.fromarray(_HOLE * np.uint8(100)).save(path)  # Ambiguous no more, with a threshold.
  assert mask_files.read_mask(path, MaskReading(threshold=100))[0].tolist() == _HOLE.tolist()


def test_the_channel_can_be_chosen(tmp_path):
  photograph = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
  _rgba(photograph, _OPAQUE - _WHITE).save(tmp_path / "erased.png")
  path = str(tmp_path / "erased.png")
  with pytest.raises(InputError, match="erased.png: ambiguous as a mask: .* `mask_from`=luma .* `mask_from`=alpha"):
    mask_files.read_mask(path)
  mask, text = mask_files.read_mask(path, MaskReading(invert=True, mask_from="alpha"))
  np.testing.assert_array_equal(mask, _HOLE)
  assert text == _TEXT + ", from alpha, inverted"
  with pytest.raises(InputError, match="as in a photograph"):
    mask_files.read_mask(path, MaskReading(mask_from="luma"))
  _rgba(_WHITE, _WHITE[::-1]).save(path)
  np.testing.assert_array_equal(mask_files.read_mask(path, MaskReading(mask_from="luma"))[0], _HOLE)
  np.testing.assert_array_equal(mask_files.read_mask(path, MaskReading(mask_from="alpha"))[0], _HOLE[::-1])
  Image.fromarray(_WHITE).save(path)
  with pytest.raises(InputError, match="no alpha channel"):
    mask_files.read_mask(path, MaskReading(mask_from="alpha"))


def test_edges_may_differ_between_colours_and_alpha(tmp_path):
  # A canvas: white strokes on nothing, their edges half transparent.
  alpha = cv2.blur(_WHITE, (3, 3))
  _rgba(np.where(alpha, np.uint8(255), np.uint8(0)), alpha).save(tmp_path / "a.png")
  np.testing.assert_array_equal(mask_files.read_mask(str(tmp_path / "a.png"))[0], alpha > 0)


@pytest.mark.parametrize(
  "levels, message",
  [
    (np.random.default_rng(1).integers(0, 256, (40, 60), np.uint8), "neither black nor white"),  # Without areas.
    (np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1)), "48% of its pixels are neither black nor white"),
    (_HOLE * np.uint8(100), "brightest level is 39% of white"),
    (_HOLE * np.uint16(20_000), "brightest level is 31% of white"),
    (_HOLE[:20] * np.uint8(155) + np.uint8(100), "neither black nor white"),
    (np.dstack([_WHITE, 0 * _WHITE, 0 * _WHITE]), "brightest level is 30% of white"),
  ],
)
def test_ambiguous_masks_are_refused(tmp_path, levels, message):
  Image.fromarray(levels).save(tmp_path / "a.png")
  with pytest.raises(InputError, match=f"a.png: ambiguous as a mask: .*{message}.*make the hole white") as caught:
    mask_files.read_mask(str(tmp_path / "a.png"))
  assert "\n" not in str(caught.value)


def test_photographs_are_no_masks():
  for name in ("astronaut", "coffee"):
    with pytest.raises(InputError, match="as in a photograph"):
      mask_files.read_mask(f"data/images/{name}.jpg")
    assert mask_files.read_mask(f"data/masks/{name}.png")[1].startswith("hole ")


def test_what_is_said_of_a_mask():
  for pixels, text in (
    (0, "hole 0.0% of the image, 0 regions"),
    (1, "hole less than 0.1% of the image, 1 region"),
    (100, "hole 1.0% of the image, 1 region"),
    (10_000, "hole 100.0% of the image, 1 region"),
  ):
    assert mask_files.describe((np.arange(10_000).reshape(100, 100) < pixels).astype(np.uint8)) == text


def test_too_many_pixels(tmp_path):
  Image.fromarray(_WHITE).save(tmp_path / "a.png")
  with pytest.raises(InputError, match="2,400 pixels, more than 2,399.*`max_pixels`"):
    mask_files.read_mask(str(tmp_path / "a.png"), max_pixels=2399)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_matched_to_the_upright_photograph(tmp_path, orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  for name, levels in (("image.png", _WHITE), ("turned.png", _WHITE)):
    Image.fromarray(levels).save(tmp_path / name, exif=exif)
  photo = photo_files.read_photo(str(tmp_path / "image.png"))
  upright = photo.rgb[..., 0] // 255
  Image.fromarray(upright * 255).save(tmp_path / "upright.png")
  Image.fromarray(_WHITE).save(tmp_path / "stored.png")
  for name in ("turned", "upright", "stored"):
    mask = mask_files.match_to_photo(mask_files.read_mask(str(tmp_path / f"{name}.png"))[0], photo)
    # A mask of the same size is one of the upright picture, whichever way that is stored.
    is_as_drawn = name == "stored" and orientation < 5
    np.testing.assert_array_equal(mask, _HOLE if is_as_drawn else upright)
  with pytest.raises(InputError, match=r"image \(\d\dx\d\d\) and mask \(40x59\) differ in size .* must be equal"):
    mask_files.match_to_photo(_HOLE[:, :59], photo)
  if orientation < 5:
    with pytest.raises(InputError, match=r"image \(40x60\) and mask \(60x40\)"):
      mask_files.match_to_photo(_HOLE.T, photo)


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 13])
def test_dilation_is_round(radius):
  rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
  disc = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
  np.testing.assert_array_equal(mask_files.dilate(_HOLE, radius), cv2.dilate(_HOLE, disc))
  empty = np.zeros((5, 6), np.uint8)
  np.testing.assert_array_equal(mask_files.dilate(empty, radius), empty)


def test_feathering_happens_in_the_ring_only():
  mask = np.zeros((9, 30), np.uint8)
  mask[:, :10] = 1
  dilated = mask_files.dilate(mask, 6)
  weights = mask_files.feather_weights(mask, dilated, 4)
  assert weights.dtype == np.float32
  np.testing.assert_allclose(weights[4], [1] * 12 + [0.875, 0.625, 0.375, 0.125] + [0] * 14, atol=1e-6)
  np.testing.assert_array_equal(mask_files.feather_weights(mask, dilated, 0), dilated)
  # As wide as the ring; and never into the hole.
  assert (mask_files.feather_weights(_HOLE, mask_files.dilate(_HOLE, 3), 3)[_HOLE == 1] == 1).all()
  np.testing.assert_array_equal(mask_files.feather_weights(_HOLE, _HOLE, 5), _HOLE)
  np.testing.assert_array_equal(mask_files.feather_weights(_HOLE, np.ones_like(_HOLE), 5), 1)
