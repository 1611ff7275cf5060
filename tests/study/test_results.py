"""What result folders must be like."""

import shutil

import numpy as np
import pytest

from tests.study import stand_ins
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.study import results


def test_sub_folders_are_kinds_and_images_are_found_by_name(tmp_path):
  folders = stand_ins.write_results(tmp_path)
  (tmp_path / stand_ins.OURS / "logs" / "step1.png").mkdir(parents=True)  # Without images: no kind.
  found = results.read_results(folders)
  assert found.methods == stand_ins.METHODS
  assert found.images == {kind: stand_ins.IMAGES for kind in sorted(stand_ins.KINDS)}
  path = found.paths["hugeholes"]["photograph2"]["pluralus"]
  assert stand_ins.read_colour(image_files.read_rgb(path)[0, 0]) == ("pluralus", "hugeholes", "photograph2")
  assert list(results.read_results(folders, ["tinyholes"]).paths) == ["tinyholes"]


def test_images_may_lie_directly_and_in_other_formats(tmp_path):
  folders = {name: f"{folder}/tinyholes" for name, folder in stand_ins.write_results(tmp_path).items()}
  assert results.read_results(folders).images == {results.DEFAULT_KIND: stand_ins.IMAGES}
  assert list(results.read_results(folders, ["large"]).paths) == ["large"]
  path = tmp_path / "hifillus" / "tinyholes" / "photograph0.png"
  image_files.write_rgb(str(path.with_suffix(".webp")), image_files.read_rgb(str(path)))
  with pytest.raises(InputError, match="photograph0.webp: .*photograph0.png has the same name"):
    results.read_results(folders)
  path.unlink()
  assert results.read_results(folders).paths["all"]["photograph0"]["hifillus"].endswith("photograph0.webp")


def _one_missing(folder):
  (folder / "hifillus" / "hugeholes" / "photograph3.png").unlink()


def _one_too_many(folder):
  images = folder / "pluralus" / "tinyholes"
  shutil.copy(images / "photograph0.png", images / "more.png")


def _other_size(folder):
  image_files.write_rgb(str(folder / "pluralus" / "tinyholes" / "photograph1.png"), np.zeros((16, 12, 3), np.uint8))


def _kind_missing(folder):
  shutil.rmtree(folder / "hifillus" / "tinyholes")


def _images_above(folder):
  shutil.copy(folder / "zoomulus" / "tinyholes" / "photograph0.png", folder / "zoomulus")


def _damaged(folder):
  (folder / "pluralus" / "tinyholes" / "photograph1.png").write_bytes(b"no image")


@pytest.mark.parametrize(
  "spoil, kinds, message",
  [
    (_one_missing, None, r"hifillus/hugeholes: no image called photograph3, which \S+zoomulus/hugeholes has"),
    (_one_too_many, None, r"pluralus/tinyholes/more.png: \S+zoomulus/tinyholes has no image called more"),
    (_other_size, None, r"photograph1.png: 12x16 pixels, but \S+photograph1.png has 16x12"),
    (_kind_missing, None, r"hifillus \(hifillus\): sub-folders with images are hugeholes, those of \S+ are hugeholes"),
    (_kind_missing, ["tinyholes"], "hifillus/tinyholes: no such folder"),
    (_images_above, None, "images both in it and in its sub-folders hugeholes, tinyholes"),
    (_damaged, None, "photograph1.png: not an image"),
    (lambda folder: None, ["tinyholes", "small"], "`mask_kinds`=tinyholes,small: not all of them are sub-folders"),
    (lambda folder: shutil.rmtree(folder / "zoomulus"), None, "zoomulus: no such folder"),
  ],
)
def test_unequal_folders_are_refused(tmp_path, spoil, kinds, message):
  folders = stand_ins.write_results(tmp_path)
  spoil(tmp_path)
  with pytest.raises(InputError, match=message):
    results.read_results(folders, kinds)


def test_one_method_is_nothing_to_compare(tmp_path):
  with pytest.raises(InputError, match="results of 1 method.s.; a comparison needs"):
    results.read_results({"a": str(tmp_path)})
