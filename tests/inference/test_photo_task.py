"""Images with their masks, and the flags that say how masks are read."""

from absl import flags
import numpy as np
from PIL import Image
import pytest

from z2i_tf.cli.flags import mask_flags
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import photo_files
from z2i_tf.images.mask_files import MaskReading
from z2i_tf.inference import pairs
from z2i_tf.inference import photo_task
from z2i_tf.inference.pairs import MaskOptions


def _reading(*arguments):
  values = flags.FlagValues()
  mask_flags.define_mask_reading_flags(values)
  values(["z2i inpaint", *arguments])
  return mask_flags.mask_options(values)


def test_flags_become_a_record():
  assert _reading() == MaskOptions(MaskReading(False, "auto", None), None, 0, 0)
  assert _reading("--invert_mask", "--mask_from=alpha", "--max_pixels=9", "--dilate=5", "--feather=5") == (
    MaskOptions(MaskReading(invert=True, mask_from="alpha"), max_pixels=9, dilate_px=5, feather_px=5)
  )


@pytest.mark.parametrize(
  "arguments, message",
  [
    (["--feather=3"], "`feather`=3 with `dilate`=0"),
    (["--feather=3", "--dilate=2"], "`feather`=3 with `dilate`=2"),
    (["--dilate=-1"], "dilate"),
    (["--feather=-1"], "feather"),
    (["--max_pixels=0"], "max_pixels"),
    (["--mask_from=red"], "mask_from"),
  ],
)
def test_unusable_flags(arguments, message):
  with pytest.raises((InputError, flags.Error), match=message):
    _reading(*arguments)


@pytest.fixture(name="folders")
def _folders(tmp_path):
  """A turned 16-bit gray image of 10x8 (upright 8x10), and masks of it."""
  exif = Image.Exif()
  exif[0x0112] = 6
  for name in ("images", "masks"):
    (tmp_path / name).mkdir()
  Image.fromarray(np.arange(80, dtype=np.uint16).reshape(10, 8) * 700).save(tmp_path / "images" / "a.png", exif=exif)
  mask = np.zeros((10, 8), np.uint8)
  mask[1:3] = 1  # Of the stored picture's upper rows: on the right of the upright one.
  image_files.write_mask(str(tmp_path / "masks" / "a.png"), mask)
  return tmp_path


def test_a_pair_is_read_as_the_options_say(folders):
  image, mask = str(folders / "images" / "a.png"), str(folders / "masks" / "a.png")
  photo, hole, text = pairs.read_pair(image, mask)
  assert photo.rgb.dtype == np.uint16 and photo.rgb.shape == (8, 10, 3)
  assert text == "hole 20.0% of the image, 1 region"
  np.testing.assert_array_equal(hole, [[0, 0, 0, 0, 0, 0, 0, 1, 1, 0]] * 8)
  folder = pairs.FolderPairs(str(folders / "images"), str(folders / "masks"), str(folders))
  _, inverted, text = folder.read(image, MaskOptions(MaskReading(invert=True)))
  assert text == "hole 80.0% of the image, 2 regions, inverted"
  np.testing.assert_array_equal(inverted, 1 - hole)
  for options, message in (
    (MaskOptions(max_pixels=79), "images/a.png: 8x10 are 80 pixels, more than 79"),
    (MaskOptions(MaskReading(mask_from="alpha")), "no alpha channel"),
  ):
    with pytest.raises(InputError, match=message):
      folder.read(image, options)
  image_files.write_mask(str(folders / "b.png"), np.eye(9))
  with pytest.raises(InputError, match="b.png: 9x9 are 81 pixels, more than 80"):
    pairs.read_pair(image, str(folders / "b.png"), MaskOptions(max_pixels=80))


@pytest.mark.parametrize(
  "mask, message",
  [
    (np.zeros((8, 10)), "the mask is empty"),
    (np.ones((8, 10)), "covers everything"),
    (np.eye(9), r"image \(8x10\) and mask \(9x9\) differ in size .* must be equal"),
  ],
)
def test_masks_that_do_not_belong(folders, mask, message):
  image_files.write_mask(str(folders / "b.png"), mask)
  with pytest.raises(InputError, match=f"images/a.png with .*b.png: .*{message}"):
    pairs.read_pair(str(folders / "images" / "a.png"), str(folders / "b.png"))


@pytest.mark.parametrize("own_mask", [True, False])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_hole_that_was_erased_to_transparency_becomes_opaque(tmp_path, own_mask, depth):
  opaque = np.iinfo(depth).max
  alpha = np.full((12, 16), opaque, depth)
  alpha[3:8, 4:9] = 0
  alpha[3:8, 9] = opaque // 2  # A soft eraser.
  rgb = np.random.default_rng(0).integers(0, opaque, (12, 16, 3), depth)
  image = str(tmp_path / "erased.png")
  photo_files.write_photo(image, photo_files.Photo(rgb, alpha))
  mask = image
  if not own_mask:
    mask = str(tmp_path / "mask.png")
    image_files.write_mask(mask, alpha < opaque)
  options = MaskOptions(MaskReading(own_mask, "alpha" if own_mask else "auto"), dilate_px=1)
  task = photo_task.read(image, mask, options)
  filled = np.where(task.hole[..., np.newaxis] != 0, opaque // 3, rgb).astype(depth)
  assert photo_task.write(str(tmp_path / "out.png"), task, filled) == "what was transparent in the hole is opaque now"
  result = photo_files.read_photo(str(tmp_path / "out.png"))
  assert (result.alpha == opaque).all()
  np.testing.assert_array_equal(result.rgb, filled)


def test_transparency_around_or_in_a_hole_that_was_not_erased_stays(tmp_path):
  alpha = np.full((12, 16), 255, np.uint8)
  alpha[:, 8:] = 0  # A cut-out whose edge the hole crosses.
  alpha[2, 2] = 0
  photo_files.write_photo(str(tmp_path / "a.png"), photo_files.Photo(np.full((12, 16, 3), 90, np.uint8), alpha))
  mask = np.zeros((12, 16), np.uint8)
  mask[2:7, 2:11] = 1
  image_files.write_mask(str(tmp_path / "mask.png"), mask)
  task = photo_task.read(str(tmp_path / "a.png"), str(tmp_path / "mask.png"), MaskOptions())
  assert photo_task.write(str(tmp_path / "out.png"), task, task.photo.rgb) == ""
  np.testing.assert_array_equal(photo_files.read_photo(str(tmp_path / "out.png")).alpha, alpha)


def test_a_threshold_is_taken_from_its_flag(folders):
  levels = np.zeros((10, 8), np.uint8)
  levels[1:3] = 100
  Image.fromarray(levels).save(folders / "masks" / "a.png")
  paths = str(folders / "images" / "a.png"), str(folders / "masks" / "a.png")
  with pytest.raises(InputError, match="`mask_threshold`"):
    pairs.read_pair(*paths)
  assert pairs.read_pair(*paths, _reading("--mask_threshold=100"))[1].sum() == 16
