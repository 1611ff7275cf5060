"""Images and masks of every kind; test_photographs.py tests the fills."""

import numpy as np
from PIL import Image
import pytest

import z2i_tf
from z2i_tf.errors import InputError
from z2i_tf.inference import bundled_models
from z2i_tf.inference import crop_fill


class _Mean:
  """Stands in for the networks: fills with the mean of the known colours."""

  scale, settings = 2, {"zoom": "sr", "scale": 2, "width": 8}
  precision = "float32"
  max_thickness_px = 40.0

  def fill(self, images, holes, zoom=1):
    assert images.dtype == np.float32 and images.shape == (*holes.shape, 3)
    colour = images[0][~holes[0]].mean(axis=0)
    return np.broadcast_to(colour, (1, zoom * images.shape[1], zoom * images.shape[2], 3))

  def outputs(self, images, holes):
    return {"result": self.fill(images, holes)}

  def refine(self, images, holes):
    return self.fill(images, holes, zoom=2)


@pytest.fixture(name="inpainter", scope="module")
def _inpainter():
  return z2i_tf.Inpainter(_Mean())


@pytest.fixture(name="case", scope="module")
def _case():
  """An image (40, 48, 3) uint8, its mask (40, 48) bool, and the filled image."""
  image = np.random.default_rng(0).integers(30, 220, (40, 48, 3), np.uint8)
  mask = np.zeros((40, 48), bool)
  mask[10:22, 12:30] = True
  return image, mask, z2i_tf.Inpainter(_Mean())(image, mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_masks_of_every_kind_give_the_same_bit_for_bit(inpainter, case, dtype):
  image, mask = case[0].astype(dtype) * dtype(np.iinfo(dtype).max // 255), case[1]
  expected = inpainter(image, mask)
  for same in (mask.astype(np.uint8), mask * np.uint8(255), mask.astype(float), mask[..., np.newaxis] * 7):
    np.testing.assert_array_equal(inpainter(image, same), expected)
  assert inpainter(image, mask).dtype == dtype


def test_paths_pil_images_and_arrays_give_the_same(inpainter, case, tmp_path):
  image, mask, expected = case
  Image.fromarray(image).save(tmp_path / "image.png")
  Image.fromarray(mask * np.uint8(255)).save(tmp_path / "mask.png")
  images = [image, Image.fromarray(image), tmp_path / "image.png", str(tmp_path / "image.png")]
  masks = [
    mask,
    Image.fromarray(mask),
    Image.fromarray(mask * np.uint8(255)),
    tmp_path / "mask.png",
    np.repeat(mask[..., np.newaxis], 3, axis=2),
    np.repeat(mask[..., np.newaxis] * 1.0, 3, axis=2),
  ]
  for given, same in [*((given, mask) for given in images), *((image, same) for same in masks)]:
    result = inpainter(given, same)
    assert isinstance(result, Image.Image if isinstance(given, Image.Image) else np.ndarray)
    np.testing.assert_array_equal(np.asarray(result), expected)


@pytest.mark.parametrize(
  "mode, result_mode",
  [
    ("1", "L"),
    ("L", "L"),
    ("LA", "LA"),
    ("P", "RGB"),
    ("RGB", "RGB"),
    ("RGBA", "RGBA"),
    ("CMYK", "RGB"),
    ("YCbCr", "RGB"),
    ("I", "I"),
    ("I;16", "I;16"),
    ("I;16B", "I;16B"),
    ("F", "F"),
  ],
)
def test_modes_of_pil_images(inpainter, case, mode, result_mode):
  source, mask = Image.fromarray(case[0]), case[1]
  if mode == "F":
    given = Image.fromarray(np.asarray(source.convert("L"), np.float32) / 255)
  elif mode.startswith("I"):
    given = Image.fromarray(np.asarray(source.convert("L"), np.int32) * 250).convert(mode)
  else:
    given = source.convert(mode)
  given.info["dpi"] = (300, 300)
  result = inpainter(given, mask)
  assert result.mode == result_mode and result.size == given.size and result.info == given.info
  kept = given.convert(result_mode)
  known = ~mask
  np.testing.assert_array_equal(np.asarray(result)[known], np.asarray(kept)[known])
  assert (np.asarray(result)[mask] != np.asarray(kept)[mask]).mean() > 0.3


def test_a_transparent_colour_of_a_pil_image_becomes_alpha(inpainter, case):
  image = case[0].copy()
  image[:2, :3] = 255, 0, 255
  given = Image.fromarray(image)
  given.info["transparency"] = (255, 0, 255)
  result = inpainter(given, case[1])
  assert result.mode == "RGBA" and "transparency" not in result.info
  alpha = np.asarray(result)[..., 3]
  assert (alpha[:2, :3] == 0).all() and (alpha[case[1]] == 255).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_floats_and_known_ones_exactly(inpainter, case, dtype):
  image, mask = (case[0] / 255).astype(dtype), case[1]
  image[0, 0] = 0.123456789
  image[mask] = np.nan  # Not looked at.
  result = inpainter(image, mask, native=True)
  assert result.dtype == dtype and result.shape == image.shape
  np.testing.assert_array_equal(result[~mask], image[~mask])
  expected = image[~mask].astype(np.float64).mean(axis=0)
  np.testing.assert_allclose(result[mask].astype(np.float64), np.broadcast_to(expected, (mask.sum(), 3)), atol=1e-3)


@pytest.mark.parametrize("shape", [(40, 48), (40, 48, 1), (40, 48, 2), (40, 48, 4)])
def test_gray_and_alpha_arrays_keep_their_shape(inpainter, case, shape):
  channels = shape[2] if len(shape) == 3 else 1
  image, mask = np.concatenate([case[0], case[0][..., :1]], axis=2), case[1]
  given = image[..., -channels:].reshape(shape)
  result = inpainter(given, mask, native=True)
  assert result.shape == shape and result.dtype == np.uint8
  np.testing.assert_array_equal(result[~mask], given[~mask])
  if channels in (2, 4):
    np.testing.assert_array_equal(result[..., -1], given[..., -1])
  colours = result[..., :-1] if channels in (2, 4) else result
  assert colours[mask].std(axis=0).max() == 0  # The stand-in's one colour.


def test_what_was_erased_becomes_opaque(inpainter, case, tmp_path):
  image, mask, _ = case
  alpha = np.where(mask, 0, 255).astype(np.uint8)
  erased = np.concatenate([image, alpha[..., np.newaxis]], axis=2)
  Image.fromarray(erased).save(tmp_path / "erased.png")
  for given in (erased, Image.fromarray(erased), tmp_path / "erased.png"):
    result = np.asarray(inpainter(given, given, mask_from="alpha", invert_mask=True))
    assert (result[..., 3] == 255).all()
    np.testing.assert_array_equal(result[..., :3], inpainter(image, mask))
  half = np.where(mask, 128, 255).astype(np.uint8)
  kept = inpainter(np.concatenate([image, half[..., np.newaxis]], axis=2), mask)
  np.testing.assert_array_equal(kept[..., 3], half)


def test_files_come_back_with_their_channels_and_depth(inpainter, case, tmp_path):
  deep = case[0][..., 0].astype(np.uint16) * 257
  Image.fromarray(deep).save(tmp_path / "gray.png")
  result = inpainter(tmp_path / "gray.png", case[1])
  assert result.shape == (40, 48) and result.dtype == np.uint16
  np.testing.assert_array_equal(result[~case[1]], deep[~case[1]])


def test_a_mask_may_be_soft_inverted_or_cut_at_a_threshold(inpainter, case):
  image, mask, expected = case
  soft = np.asarray(Image.fromarray(mask * np.uint8(255)).resize((96, 80), Image.Resampling.BICUBIC).resize((48, 40)))
  assert len(np.unique(soft)) > 2
  for same in (soft, soft / 255.0):
    result = inpainter(image, same)
    changed = (result != image).any(axis=2)
    assert changed[mask].mean() > 0.9 and not changed[:6].any()
  np.testing.assert_array_equal(inpainter(image, ~mask, invert_mask=True), expected)
  levels = np.where(mask, 100, 20).astype(np.uint8)
  np.testing.assert_array_equal(inpainter(image, levels, mask_threshold=90), expected)
  with pytest.raises(InputError, match="^mask: ambiguous as a mask.*with `mask_threshold` from"):
    inpainter(image, levels)


def test_a_batch_is_filled_image_by_image(inpainter, case):
  image, mask, expected = case
  steps = []
  results = inpainter.fill_batch([image, Image.fromarray(image), image[..., 0]], mask, advance=lambda: steps.append(1))
  assert len(steps) == 3 and isinstance(results[1], Image.Image) and results[2].shape == (40, 48)
  np.testing.assert_array_equal(results[0], expected)
  np.testing.assert_array_equal(np.asarray(results[1]), expected)
  for masks in ([mask, mask[::-1]], np.stack([mask, mask[::-1]])):
    first, second = inpainter.fill_batch(np.stack([image, image[::-1]]), masks, native=True)
    np.testing.assert_array_equal(first[::-1], second)
  assert inpainter.fill_batch([], []) == []


def test_a_batch_is_checked_before_anything_is_filled(inpainter, case, monkeypatch):
  image, mask, _ = case
  monkeypatch.setattr(crop_fill, "fill_pieces", lambda *_: pytest.fail("filled"))
  for images, masks, message in (
    ([image, image], [mask], "images and masks: 2 and 1"),
    ("photo.png", "mask.png", "images: one image"),
    ([image, image], [mask, mask & False], r"masks\[1\]: the mask is empty"),
    ([image, image[None]], mask, r"images\[1\]: must be a path"),
    ([image, image / 2], mask, r"images\[1\]: floats must be in \[0, 1\]"),
  ):
    with pytest.raises(InputError, match=message):
      inpainter.fill_batch(images, masks)


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda image, mask: (image.astype(np.int64), mask), "^image: must be a path, a PIL image, or an array"),
    (lambda image, mask: ([[1], [2, 3]], mask), "^image: not an array"),
    (lambda image, mask: (image.astype(float), mask), r"^image: floats must be in \[0, 1\], and are from 30 to 219"),
    (lambda image, mask: (np.where(image < 60, np.nan, 0.5), mask), r"^image: floats .* from nan to nan"),
    (lambda image, mask: (Image.new("LAB", (48, 40)), mask), "^image: a PIL image of mode LAB; convert it to RGB"),
    (lambda image, mask: (Image.new("I", (48, 40), 70000), mask), "^image: .* levels beyond 16 bits"),
    (lambda image, mask: ("nowhere.png", mask), "^nowhere.png: "),
    (lambda image, mask: (image, "nowhere.png"), "^nowhere.png: "),
    (lambda image, mask: (image, mask[1:]), "40x48.*39x48.*differ in size"),
    (lambda image, mask: (image, Image.fromarray(mask[1:])), "40x48.*39x48.*differ in size"),
    (lambda image, mask: (image, mask & False), "^mask: the mask is empty"),
    (lambda image, mask: (image, mask | True), "^mask: the mask covers everything"),
    (lambda image, mask: (image, image), "^mask: ambiguous as a mask"),
    (lambda image, mask: (image, image / 50), r"^mask: floats must be in \[0, 1\]"),
  ],
)
def test_unusable_arguments_are_refused_by_their_names(inpainter, case, change, message):
  with pytest.raises(InputError, match=message) as caught:
    inpainter(*change(*case[:2]))
  assert "--" not in str(caught.value) and "\n" not in str(caught.value)


def test_errors_name_arguments_not_flags(inpainter, case, tmp_path):
  Image.fromarray(case[0]).save(tmp_path / "image.png")
  with pytest.raises(InputError, match="raise the limit with `max_pixels`$"):
    inpainter(tmp_path / "image.png", case[1], max_pixels=9)
  with pytest.raises(InputError, match="^mask: `mask_from`=alpha, but there is no alpha channel"):
    inpainter(case[0], Image.fromarray(case[1]), mask_from="alpha")
  with pytest.raises(InputError, match="`mask_from`=red: expected one of auto, luma, alpha"):
    inpainter(*case[:2], mask_from="red")
  for threshold in (0, 256, 1.5, "a"):
    with pytest.raises(InputError, match=f"^`mask_threshold`={threshold}: expected a whole number from 1 to 255$"):
      inpainter(*case[:2], mask_threshold=threshold)
  with pytest.raises(InputError, match="^`detail`=none has no effect with `native`; leave one of them out$"):
    inpainter(*case[:2], native=True, detail="none")
  with pytest.raises(InputError, match="^`plan` has no effect with `native`"):
    inpainter(*case[:2], native=True, plan=inpainter.plan(*case[:2]))
  with pytest.raises(InputError, match="^`detail`=fancy: expected one of auto, patches, none$"):
    inpainter.fill_batch([case[0]], ["nowhere.png"], detail="fancy")
  with pytest.raises(InputError, match="^`precision`=half: expected one of float32, bfloat16, fp32, bf16$"):
    z2i_tf.Inpainter.load(precision="half")
  with pytest.raises(InputError, match="^`model`=fancy: no such folder"):
    z2i_tf.Inpainter.load("fancy")
  with pytest.raises(TypeError, match="max_memory"):
    inpainter(*case[:2], max_memory="3GB")


def test_a_plan_belongs_to_its_mask(inpainter, case):
  image, mask, expected = case
  inverted = 255 - np.uint8(255) * np.asarray(mask, np.uint8)
  plan = inpainter.plan(image, inverted, invert_mask=True)
  assert plan == inpainter.plan(image, mask)
  np.testing.assert_array_equal(inpainter(image, inverted, plan=plan, invert_mask=True), expected)
  larger, other = mask.copy(), np.zeros_like(mask)
  larger[-1, -1] = other[-1, -1] = True
  small = mask[: plan[0].core[0].stop - 1]  # The plan reaches beyond this image.
  for masks in (larger, other):
    for fill in (inpainter, inpainter.patches):
      with pytest.raises(InputError, match="^`plan` is of another mask"):
        fill(image, masks, plan=plan)
  with pytest.raises(InputError, match="^`plan` is of another mask"):
    inpainter(image[: len(small)], small, plan=plan)


def test_other_methods_take_the_same_kinds(inpainter, case, tmp_path):
  image, mask, expected = case
  Image.fromarray(image).save(tmp_path / "image.png")
  for given in (tmp_path / "image.png", Image.fromarray(image), image):
    plan = inpainter.plan(given, Image.fromarray(mask))
    assert len(plan) == 1 and inpainter.remark(mask, plan) == ""
    (patch,) = inpainter.patches(given, Image.fromarray(mask), plan=plan)
    np.testing.assert_array_equal(patch.pixels, expected[patch.box])
    assert inpainter.outputs(given, mask)["result"].shape == (40, 48, 3)


def test_short_names_of_precisions_and_what_an_inpainter_is_called():
  for precision, full_name in (("bf16", "bfloat16"), ("fp32", "float32"), (None, "float32")):
    assert repr(z2i_tf.Inpainter.load(precision=precision)) == (
      f"Inpainter(model='compact', precision='{full_name}', zoom='sr', scale=2, width=32, max_thickness_px=56.0)"
    )
  assert repr(z2i_tf.Inpainter(_Mean())).startswith("Inpainter(precision='float32', zoom=")


def test_bf16_fills_nearly_as_float32_does(case, load_once):
  image, mask, _ = case
  inpainters = z2i_tf.Inpainter.load(precision="bf16"), z2i_tf.Inpainter(load_once(bundled_models.DEFAULT))
  results = [inpainter(image, mask, native=True).astype(int) for inpainter in inpainters]
  difference = np.abs(results[0] - results[1])
  assert 0 < difference.max() < 16
