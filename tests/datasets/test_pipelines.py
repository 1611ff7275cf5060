import numpy as np
import pytest
import tensorflow as tf

from z2i_tf import image_io
from z2i_tf.datasets import pipelines
from z2i_tf.datasets.sources import FolderSource
from z2i_tf.errors import InputError
from z2i_tf.masks.mixture import MaskMixture


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
  """Five images, one in a subfolder, whose pixels tell where they come from: (image, row, column)."""
  folder = tmp_path_factory.mktemp("images")
  (folder / "more").mkdir()
  for index in range(5):
    rows, columns = np.mgrid[:40 + index, :50]
    image = np.stack([np.full_like(rows, 20 * index), rows, columns], axis=-1).astype(np.uint8)
    image_io.write_rgb(str(folder / ("more" if index == 4 else ".") / f"{index}.png"), image)
  (folder / "notes.txt").write_text("not an image")
  return FolderSource(str(folder), min_side=32)


def _config(seed=0, **changes):
  settings = {"crop_size": 16, "scale": 2, "masks": MaskMixture.parse("small", 64), "seed": seed}
  return pipelines.ExampleConfig(**{**settings, **changes})


def _take(dataset, count):
  return [{name: tensor.numpy() for name, tensor in batch.items()} for batch in dataset.take(count)]


def _training(source, config, start=0, count=6, batch_size=2):
  return _take(pipelines.training_dataset(source, config, batch_size, start), count)


def test_examples_are_crops_with_their_bicubic_half_and_a_binary_mask(source):
  for batch in _training(source, _config()):
    assert batch["image_hr"].shape == (2, 32, 32, 3) and batch["image_hr"].dtype == np.float32
    levels = batch["image_hr"] * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    np.testing.assert_allclose(np.diff(levels[..., 1], axis=1), 1, atol=1e-4)  # Rows stay rows.
    np.testing.assert_allclose(np.diff(levels[..., 2], axis=2), 1, atol=1e-4)
    half = tf.image.resize(batch["image_hr"], [16, 16], "bicubic", antialias=True)
    np.testing.assert_allclose(batch["image_lr"], half, atol=1e-5)
    assert batch["mask_lr"].shape == (2, 16, 16, 1) and set(np.unique(batch["mask_lr"])) == {0, 1}


def test_no_mask_and_no_crop_repeats(source):
  batches = _training(source, _config(), count=15)
  masks = {mask.tobytes() for batch in batches for mask in batch["mask_lr"]}
  crops = {crop.tobytes() for batch in batches for crop in batch["image_hr"]}
  assert len(masks) == 30 and len(crops) == 30


def test_an_epoch_has_every_image_once_in_an_order_of_its_own(source):
  batches = _training(source, _config(), count=20, batch_size=1)
  order = [int(round(batch["image_hr"][0, 0, 0, 0] * 255)) // 20 for batch in batches]
  epochs = [tuple(order[start:start + 5]) for start in range(0, 20, 5)]
  assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
  assert len(set(epochs)) > 1


def test_starting_later_gives_what_would_have_come(source):
  whole, tail = _training(source, _config(), count=7), _training(source, _config(), start=4, count=3)
  for late, early in zip(tail, whole[4:]):
    for name, value in early.items():
      np.testing.assert_array_equal(late[name], value)


def test_seeds_differ(source):
  first, second = (_training(source, _config(seed), count=1)[0] for seed in (0, 1))
  assert not np.array_equal(first["mask_lr"], second["mask_lr"])
  assert not np.array_equal(first["image_hr"], second["image_hr"])


def test_validation_is_fixed_centre_crops(source):
  twice = [_take(pipelines.validation_dataset(source, _config(), 2), 9) for _ in range(2)]
  assert [len(batch["mask_lr"]) for batch in twice[0]] == [2, 2, 1]
  for one, other in zip(*twice):
    np.testing.assert_array_equal(one["mask_lr"], other["mask_lr"])
  first = np.rint(twice[0][0]["image_hr"][0] * 255)
  assert first[0, 0, 1] == (40 - 32) // 2 and first[0, 0, 2] == (50 - 32) // 2


def test_scale_one_has_one_resolution(source):
  batch = _training(source, _config(scale=1), count=1)[0]
  np.testing.assert_array_equal(batch["image_hr"], batch["image_lr"])


@pytest.mark.parametrize("changes, message", [
    ({"crop_size": 20}, "crop_size=20"),
    ({"crop_size": 0}, "crop_size=0"),
    ({"crop_size": 128}, "smaller than the crop of 128"),
])
def test_unusable_configurations_are_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    _config(**changes)


def test_folders_that_cannot_be_used(source, tmp_path):
  with pytest.raises(InputError, match="nowhere: no such folder"):
    FolderSource(str(tmp_path / "nowhere"), 8)
  with pytest.raises(InputError, match="no images in it"):
    FolderSource(str(tmp_path), 8)
  image_io.write_rgb(str(tmp_path / "small.png"), np.zeros((30, 64, 3), np.uint8))
  with pytest.raises(InputError, match="small.png: 30x64 pixels, smaller than the crop of 32x32"):
    FolderSource(str(tmp_path), 32)
  (tmp_path / "broken.png").write_bytes(b"nothing")
  with pytest.raises(InputError, match="broken.png: not an image"):
    FolderSource(str(tmp_path), 8)


def test_an_image_damaged_behind_its_header_is_named(tmp_path):
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  image_io.write_rgb(str(tmp_path / "cut.png"), noise)
  (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:2000])
  source = FolderSource(str(tmp_path), 32)
  with pytest.raises(InputError, match="^.*cut.png: not an image that can be read"):
    with pipelines.reading_errors():
      _training(source, _config(), count=1)


def test_links_are_followed_and_may_go_round(tmp_path):
  (tmp_path / "real").mkdir()
  image_io.write_rgb(str(tmp_path / "real" / "a.png"), np.zeros((8, 8, 3), np.uint8))
  (tmp_path / "linked").mkdir()
  (tmp_path / "linked" / "there").symlink_to(tmp_path / "real")
  (tmp_path / "real" / "back").symlink_to(tmp_path / "linked")
  assert len(FolderSource(str(tmp_path / "linked"), 8)) == 1
