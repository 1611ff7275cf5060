"""Which mask belongs to an image of a folder, and where its result goes."""

import os
import unicodedata

import numpy as np
from PIL import Image
import pytest

from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.inference import pairs


@pytest.fixture(name="folders")
def _folders(tmp_path):
  """Two photographs of one stem and one of another, a mask for each stem, one mask for all, room for results."""
  for folder in ("images", "masks", "out"):
    (tmp_path / folder).mkdir()
  for name in ("images/a.png", "images/a.JPG", "images/b.bmp"):
    image_files.write_rgb(str(tmp_path / name), np.full((8, 9, 3), 90, np.uint8))
  for number, name in enumerate(("masks/a.png", "masks/b.png", "all.png")):
    mask = np.zeros((8, 9), np.uint8)
    mask[number] = 1
    image_files.write_mask(str(tmp_path / name), mask)
  return tmp_path


def _pairs(folders, masks=True, **options):
  return pairs.FolderPairs(
    str(folders / "images"), str(folders / "masks") if masks else None, str(folders / "out"), **options
  )


def _names(paths):
  return [os.path.basename(path) for path in paths]


def test_results_keep_their_images_extensions_and_share_a_mask(folders):
  folder = _pairs(folders, result_extension=None)
  assert _names(folder.images) == ["a.JPG", "a.png", "b.bmp"]
  assert [folder.result_path(path) for path in folder.images] == [
    str(folders / "out" / name) for name in ("a.JPG", "a.png", "b.bmp")
  ]
  assert _names(map(folder.mask_path, folder.images)) == ["a.png", "a.png", "b.png"]
  assert len({folder.read(path)[1].tobytes() for path in folder.images}) == 2


def test_results_of_one_extension_must_differ_in_stem(folders):
  folder = _pairs(folders)
  assert _names(map(folder.result_path, folder.images)) == ["a.png", "a.png", "b.png"]
  assert folder.mask_path(folder.images[2])
  for path in folder.images[:2]:
    with pytest.raises(InputError, match="several images are called a; their results would overwrite"):
      folder.mask_path(path)


def test_one_mask_for_all_may_lie_among_the_images(folders):
  one = str(folders / "all.png")
  folder = _pairs(folders, masks=False, mask=one, result_extension=None)
  assert set(map(folder.mask_path, folder.images)) == {one}
  assert folder.read(folder.images[2])[1][2].all()
  inside = folders / "images" / "mask.png"
  os.rename(one, inside)
  os.symlink("nowhere.png", folders / "images" / "lost.png")  # An image that will fail, not the end of the run.
  folder = _pairs(folders, masks=False, mask=str(inside), result_extension=None)
  assert _names(folder.images) == ["a.JPG", "a.png", "b.bmp", "lost.png"]
  for path in folder.images:
    os.unlink(path)
  with pytest.raises(InputError, match="no images in it but the mask"):
    _pairs(folders, masks=False, mask=str(inside))


def test_a_mask_for_all_that_cannot_be_used(folders):
  with pytest.raises(InputError, match="gone.png: no such file"):
    _pairs(folders, masks=False, mask=str(folders / "gone.png"))
  for name in ("a.png", "other.png"):
    os.link(folders / "all.png", folders / "out" / name)
  with pytest.raises(InputError, match="a result would overwrite `mask`="):
    _pairs(folders, masks=False, mask=str(folders / "out" / "a.png"), result_extension=None)
  assert _pairs(folders, masks=False, mask=str(folders / "out" / "other.png"), result_extension=None).images


def test_results_go_neither_among_images_nor_among_masks(folders):
  of_each, one = {"mask_dir": str(folders / "masks")}, {"mask_dir": None, "mask": str(folders / "all.png")}
  for masks, output in ((of_each, "masks"), (of_each, "images"), (one, "images")):
    with pytest.raises(InputError, match="would overwrite the input"):
      pairs.FolderPairs(str(folders / "images"), output_dir=str(folders / output), result_extension=None, **masks)


def test_a_missing_and_a_doubled_mask_fail_their_images_alone(folders):
  os.unlink(folders / "masks" / "b.png")
  os.link(folders / "masks" / "a.png", folders / "masks" / "a.bmp")
  folder = _pairs(folders, result_extension=None)
  for path, message in zip(folder.images, ("2 masks called a", "2 masks called a", "no masks called b")):
    with pytest.raises(InputError, match=message):
      folder.read(path)


def _write(path, mask=False):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  pixels = np.full((8, 9, 3), 90, np.uint8)
  if mask:
    image_files.write_mask(str(path), np.eye(8, 9, dtype=np.uint8))
  else:
    image_files.write_rgb(str(path), pixels)


def test_hidden_files_are_none_and_spellings_of_a_name_meet(tmp_path):
  composed, decomposed = (unicodedata.normalize(form, "Grüße") for form in ("NFC", "NFD"))
  _write(tmp_path / "images" / f"{composed}.png")
  _write(tmp_path / "masks" / f"{decomposed}.png", mask=True)
  for hidden in ("._IMG_1.png", ".DS_Store", ".thumbnails/small.png"):
    for folder in ("images", "masks"):
      path = tmp_path / folder / hidden
      path.parent.mkdir(exist_ok=True)
      path.write_bytes(b"Mac OS X")
  (tmp_path / "out").mkdir()
  folder = _pairs(tmp_path, result_extension=None)
  assert _names(folder.images) == [f"{composed}.png"] and not folder.left_out
  assert folder.read(folder.images[0])[1].any()
  assert image_files.list_images(str(tmp_path / "images"), recursive=True) == folder.images
  _write(tmp_path / "images" / f"{decomposed}.png")
  folder = _pairs(tmp_path, result_extension=None)
  with pytest.raises(InputError, match="several images are called Grüße"):
    folder.mask_path(folder.images[0])


def test_files_that_are_no_images_are_named(tmp_path):
  _write(tmp_path / "images" / "a.png")
  _write(tmp_path / "masks" / "a.png", mask=True)
  (tmp_path / "out").mkdir()
  for number in range(7):
    (tmp_path / "images" / f"raw{number}.NEF").touch()
  (line,) = _pairs(tmp_path).left_out
  assert line.endswith(
    "images: left out 7 files that are not read as images: raw0.NEF, raw1.NEF, raw2.NEF, raw3.NEF, raw4.NEF and 2 more"
  )
  os.unlink(tmp_path / "images" / "a.png")
  with pytest.raises(InputError, match="left out 7 files"):
    _pairs(tmp_path)


def test_results_of_formats_that_are_only_read_are_png(tmp_path):
  _write(tmp_path / "masks" / "a.png", mask=True)
  (tmp_path / "images").mkdir()
  (tmp_path / "out").mkdir()
  Image.new("RGB", (9, 8)).save(tmp_path / "images" / "a.GIF")
  folder = _pairs(tmp_path, result_extension=None)
  assert _names(map(folder.result_path, folder.images)) == ["a.png"]
  _write(tmp_path / "images" / "a.png")
  folder = _pairs(tmp_path, result_extension=None)
  with pytest.raises(InputError, match="several images are called a"):
    folder.mask_path(folder.images[0])


@pytest.mark.parametrize(
  "suffix, given",
  [("_mask001", None), ("_mask", None), ("-mask", None), ("_MASK_2", None), ("_hole", "_hole"), (".m", ".m")],
)
@pytest.mark.parametrize("mask_dir", ["images", "masks"])
def test_masks_by_suffix(tmp_path, suffix, given, mask_dir):
  for name in ("one", "two"):
    _write(tmp_path / "images" / f"{name}.png")
    _write(tmp_path / mask_dir / f"{name}{suffix}.png", mask=True)
  _write(tmp_path / "images" / "death_mask.png")  # A photograph of a mask.
  folder = pairs.FolderPairs(
    str(tmp_path / "images"), str(tmp_path / mask_dir), str(tmp_path / "out"), mask_suffix=given
  )
  assert _names(folder.images) == ["death_mask.png", "one.png", "two.png"]
  assert _names(map(folder.mask_path, folder.images[1:])) == [f"one{suffix}.png", f"two{suffix}.png"]
  with pytest.raises(InputError, match="death_mask.png: no masks called death_mask"):
    folder.mask_path(folder.images[0])


def test_an_empty_suffix_pairs_equal_names(tmp_path):
  for folder, is_mask in (("images", False), ("masks", True)):
    _write(tmp_path / folder / "one.png", mask=is_mask)
  folder = pairs.FolderPairs(str(tmp_path / "images"), str(tmp_path / "masks"), str(tmp_path / "out"), mask_suffix="")
  assert folder.mask_path(folder.images[0]) == str(tmp_path / "masks" / "one.png")


def test_images_and_masks_in_one_folder_that_cannot_be_told_apart(tmp_path):
  _write(tmp_path / "images" / "a.png")
  _write(tmp_path / "images" / "a_hole.png", mask=True)
  same = [str(tmp_path / "images")] * 2
  with pytest.raises(
    InputError, match="images and masks in one folder.*_mask; rename them, give `mask_suffix`, or another `mask_dir`"
  ):
    pairs.FolderPairs(*same, str(tmp_path / "out"))
  folder = pairs.FolderPairs(*same, str(tmp_path / "out"), are_own_masks=True)
  assert list(map(folder.mask_path, folder.images)) == folder.images
  _write(tmp_path / "images" / "a_mask1.png", mask=True)
  _write(tmp_path / "images" / "a_mask2.png", mask=True)
  folder = pairs.FolderPairs(*same, str(tmp_path / "out"))
  with pytest.raises(InputError, match="a.png: 2 masks called a"):
    folder.mask_path(folder.images[0])


def test_sizes_are_compared_before_pixels_are_decoded(tmp_path):
  _write(tmp_path / "a.png")
  _write(tmp_path / "m.png", mask=True)
  Image.new("L", (99, 99)).save(tmp_path / "large.png")
  encoded = (tmp_path / "large.png").read_bytes()
  (tmp_path / "large.png").write_bytes(encoded[:60] + b"no pixels")
  for image, mask in (("a", "large"), ("large", "m")):
    with pytest.raises(InputError, match="differ in size"):
      pairs.read_pair(str(tmp_path / f"{image}.png"), str(tmp_path / f"{mask}.png"))
