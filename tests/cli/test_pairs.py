"""Which mask belongs to an image of a folder, and where its result goes."""

import os

import numpy as np
import pytest

from z2i_tf import image_io
from z2i_tf.cli import pairs
from z2i_tf.errors import InputError


@pytest.fixture(name="folders")
def _folders(tmp_path):
  """Two photographs of one stem and one of another, a mask for each stem, one mask for all, room for results."""
  for folder in ("images", "masks", "out"):
    (tmp_path / folder).mkdir()
  for name in ("images/a.png", "images/a.JPG", "images/b.bmp"):
    image_io.write_rgb(str(tmp_path / name), np.full((8, 9, 3), 90, np.uint8))
  for number, name in enumerate(("masks/a.png", "masks/b.png", "all.png")):
    mask = np.zeros((8, 9), np.uint8)
    mask[number] = 1
    image_io.write_mask(str(tmp_path / name), mask)
  return tmp_path


def _pairs(folders, masks=True, **options):
  return pairs.FolderPairs(str(folders / "images"), str(folders / "masks") if masks else None, str(folders / "out"),
                           **options)


def _names(paths):
  return [os.path.basename(path) for path in paths]


def test_results_keep_their_images_extensions_and_share_a_mask(folders):
  folder = _pairs(folders, result_extension=None)
  assert _names(folder.images) == ["a.JPG", "a.png", "b.bmp"]
  assert [folder.result_path(path) for path in folder.images] == [
      str(folders / "out" / name) for name in ("a.JPG", "a.png", "b.bmp")]
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
  with pytest.raises(InputError, match="a result would overwrite --mask="):
    _pairs(folders, masks=False, mask=str(folders / "out" / "a.png"), result_extension=None)
  assert _pairs(folders, masks=False, mask=str(folders / "out" / "other.png"), result_extension=None).images


def test_results_go_neither_among_images_nor_among_masks(folders):
  of_each, one = {"mask_dir": str(folders / "masks")}, {"mask_dir": None, "mask": str(folders / "all.png")}
  for masks, output in ((of_each, "masks"), (of_each, "images"), (one, "images")):
    with pytest.raises(InputError, match="would overwrite what is there"):
      pairs.FolderPairs(str(folders / "images"), output_dir=str(folders / output), result_extension=None, **masks)


def test_a_missing_and_a_doubled_mask_fail_their_images_alone(folders):
  os.unlink(folders / "masks" / "b.png")
  os.link(folders / "masks" / "a.png", folders / "masks" / "a.bmp")
  folder = _pairs(folders, result_extension=None)
  for path, message in zip(folder.images, ("2 masks called a", "2 masks called a", "no masks called b")):
    with pytest.raises(InputError, match=message):
      folder.read(path)


def test_the_last_line_counts(capsys):
  assert pairs.report(["x: broken", "y: broken", "z: broken"], 20, 5, ["a: a remark"])
  captured = capsys.readouterr()
  assert captured.out == "a: a remark\n12 of 20 images inpainted, 5 already there, 3 failed\n"
  assert captured.err == "failed: x: broken\nfailed: y: broken\nfailed: z: broken\n"
  assert not pairs.report([], 3)
  assert capsys.readouterr().out == "3 of 3 images inpainted\n"
