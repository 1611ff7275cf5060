import collections
import dataclasses
import os
import shutil

import cv2
import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from tests.datasets import stand_ins
from z2i_tf.datasets import pipelines
from z2i_tf.datasets import python_calls
from z2i_tf.datasets import sources
from z2i_tf.datasets.examples import ExampleConfig
from z2i_tf.datasets.folder_source import FolderSource
from z2i_tf.datasets.open_source import open_source
from z2i_tf.datasets.sources import BadImages
from z2i_tf.datasets.training_masks import TrainingMasks
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.images import mask_files
from z2i_tf.masks.mixture import MaskMixture
from z2i_tf.masks.specs import OwnMasks
from z2i_tf.training import devices


@pytest.fixture(name="data_dir", scope="module")
def _data_dir(tmp_path_factory):
  """Five coded images (see stand_ins), one in a subfolder, as a data set of every kind."""
  folder = tmp_path_factory.mktemp("data")
  stand_ins.write_folder(folder / "images")
  (folder / "images.txt").write_text("\n".join(f"images/{name}.png" for name in ("0", "1", "2", "3", "more/4")))
  stand_ins.write_prepared(folder / "images", folder / "tiles", tile_size=8)
  stand_ins.write_prepared(folder / "images", folder / "whole", tile_size=16)
  images = [stand_ins.coded_image(number, 40 + number, 50) for number in range(5)]
  splits = {"train": images, "validation": images}
  stand_ins.write_tfds("div2k/bicubic_x2", folder / "tfrecord", splits)
  stand_ins.write_tfds("div2k/bicubic_x2", folder / "array_record", splits, "array_record")
  return folder


@pytest.fixture(name="source", scope="module")
def _source(data_dir):
  return open_source("folder", str(data_dir / "images"), "train", 2)


# Name -> arguments of open_source.
_EVERY_SOURCE = {
  "folder": ("folder", "images"),
  "list": ("folder", "images.txt"),
  "tiles": ("tfrecord", "tiles"),
  "whole files": ("tfrecord", "whole"),
  "TFDS": ("div2k", "tfrecord"),
  "TFDS array_record": ("div2k", "array_record"),
}


def _config(seed=0, **changes):
  settings = {"crop_size": 16, "scale": 2, "masks": MaskMixture.parse("small", 64), "seed": seed}
  return ExampleConfig(**{**settings, **changes})


def _take(dataset, count):
  return [{name: tensor.numpy() for name, tensor in batch.items()} for batch in dataset.take(count)]


def _training(source, config, start=0, count=6, batch_size=2, **options):
  return _take(pipelines.training_dataset(source, config, batch_size, start * batch_size, **options), count)


def _assert_equal(batches, others):
  assert len(batches) == len(others)
  for batch, other in zip(batches, others):
    for name, value in batch.items():
      np.testing.assert_array_equal(value, other[name])


def _levels(batches):
  """All high-resolution crops of some batches, as (examples, side, side, 3) integers."""
  return np.rint(np.concatenate([batch["image_hr"] for batch in batches]) * 255).astype(int)


def _numbers(batches):
  """Which image each example is of."""
  return [crop[0, 0, 0] // 20 for crop in _levels(batches)]


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


@pytest.mark.parametrize("crops_per_image", [1, 8])
def test_no_mask_and_no_crop_repeats(source, crops_per_image):
  batches = _training(source, _config(crops_per_image=crops_per_image), count=15)
  masks = {mask.tobytes() for batch in batches for mask in batch["mask_lr"]}
  crops = {crop.tobytes() for batch in batches for crop in batch["image_hr"]}
  assert len(masks) == 30 and len(crops) >= 29  # There are not many crops; two may be of one place.


def test_an_epoch_has_every_image_once_in_an_order_of_its_own(source):
  order = _numbers(_training(source, _config(), count=20, batch_size=1))
  epochs = [tuple(order[start : start + 5]) for start in range(0, 20, 5)]
  assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
  assert len(set(epochs)) > 1


@pytest.mark.parametrize("kind", _EVERY_SOURCE)
@pytest.mark.parametrize("crops_per_image", [1, 32])
def test_starting_later_gives_what_would_have_come_from_every_source(data_dir, kind, crops_per_image):
  """With 32 crops per image a block has 8 * 32 = 256 examples, so that batch 17 is in the second."""
  name, path = _EVERY_SOURCE[kind]
  source = open_source(name, str(data_dir / path), "train", 2)
  config = _config(crops_per_image=crops_per_image, masks=MaskMixture.parse("rect"))
  whole = _training(source, config, count=19, batch_size=16 if crops_per_image > 1 else 3)
  for start in (1, 17):
    late = _training(source, config, start=start, count=2, batch_size=16 if crops_per_image > 1 else 3)
    _assert_equal(late, whole[start : start + 2])


def test_files_as_a_folder_a_list_and_prepared_are_the_same_examples(data_dir):
  expected = None
  for kind in ("folder", "list", "tiles", "whole files"):
    name, path = _EVERY_SOURCE[kind]
    batches = _training(open_source(name, str(data_dir / path), "train", 2), _config(flips="both"))
    _assert_equal(batches, expected or batches)
    expected = batches


@pytest.mark.parametrize("crops_per_image", [1, 8])
def test_parallel_calls_change_nothing(source, crops_per_image):
  config = _config(crops_per_image=crops_per_image, flips="both", masks=MaskMixture.parse("small,rect,large", 64))
  expected = _training(source, config, parallel_calls=1)
  for calls in (3, 8):
    _assert_equal(_training(source, config, parallel_calls=calls), expected)


def test_several_crops_of_an_image_stay_apart(source):
  """A block of 8 crops each is 8 rounds of 32 visits: every image visited comes once in each round."""
  config = _config(crops_per_image=8)
  batches = _training(source, config, count=2, batch_size=256)
  for block in batches:
    crops = _levels([block])
    rounds = crops.reshape(8, 32, 32, 32, 3)
    shares = [collections.Counter(one[:, 0, 0, 0].tolist()) for one in rounds]
    assert all(share == shares[0] for share in shares)
    orders = {tuple(one[:, 0, 0, 0]) for one in rounds}
    assert len(orders) == 8
  assert not np.array_equal(_levels(batches[:1]), _levels(batches[1:]))


def test_many_images_are_visited_once_per_epoch_with_several_crops_too(tmp_path):
  (tmp_path / "images").mkdir()
  for number in range(12):
    image_files.write_rgb(str(tmp_path / "images" / f"{number:02d}.png"), stand_ins.coded_image(number, 40, 40))
  source = FolderSource(str(tmp_path / "images"))
  # Blocks of 256 // 32 = 8 images, of which an epoch is one and a half.
  numbers = _numbers(_training(source, _config(crops_per_image=32), count=4, batch_size=256))
  epochs = [set(numbers[:256]) | set(numbers[256:512]), set(numbers[256:512]) | set(numbers[512:768])]
  assert epochs == [set(range(12))] * 2
  for start in range(0, 256, 8):
    assert set(numbers[start : start + 8]) == set(numbers[:8]) and len(set(numbers[:8])) == 8
  # More than 128 // 32 = 4 examples apart.
  distances = [
    next((later - place for later in range(place + 1, 256) if numbers[later] == numbers[place]), 256)
    for place in range(256)
  ]
  assert min(distances) == 5 and max(distance for distance in distances if distance < 256) > 8
  assert len({tuple(numbers[start : start + 8]) for start in range(0, 256, 8)}) > 20
  # Blocks have orders of their own: the first, and the fourth, which begins an epoch too.
  visited = _numbers(_training(source, _config(), count=32, batch_size=1))
  places = [
    [visited[8 * block : 8 * block + 8].index(number) for number in numbers[256 * block : 256 * block + 256]]
    for block in (0, 3)
  ]
  assert places[0] != places[1]


def test_flips_are_off_unless_asked_for_and_fair(source):
  def directions(flips):
    crops = _levels(_training(source, _config(flips=flips), count=4, batch_size=50))
    return np.mean(crops[:, 1, 0, 1] < crops[:, 0, 0, 1]), np.mean(crops[:, 0, 1, 2] < crops[:, 0, 0, 2])

  assert directions("none") == (0, 0)
  vertical, horizontal = directions("horizontal")
  assert vertical == 0 and 0.35 < horizontal < 0.65
  assert all(0.35 < share < 0.65 for share in directions("both"))


def _steps(batches):
  """By how much neighbouring rows of each crop differ: the scale at which it was cut."""
  return np.rint(np.diff(_levels(batches)[..., 1], axis=1).mean(axis=(1, 2))).astype(int)


def test_crops_are_cut_at_several_scales_from_every_source(data_dir):
  config = _config(crop_size=8, crop_scales=(1, 2, 2, 3))  # 16, 32, 48 pixels of 40 to 44 x 50: none has the last.
  expected = None
  for kind in ("folder", "tiles", "whole files"):
    name, path = _EVERY_SOURCE[kind]
    source = open_source(name, str(data_dir / path), "train", 2)
    batches = _training(source, config, count=4, batch_size=50)
    _assert_equal(batches, expected or batches)
    expected = batches
  counted = collections.Counter(_steps(expected).tolist())
  assert set(counted) == {1, 2} and 0.55 < counted[2] / 200 < 0.78
  _assert_equal(_training(source, config, start=3, count=1, batch_size=50), expected[3:])


def test_larger_crops_are_reduced_by_averages(tmp_path):
  image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
  image_files.write_rgb(str(tmp_path / "a.png"), image)
  source = FolderSource(str(tmp_path))
  (batch,) = _training(source, _config(crop_size=8, crop_scales=(3,)), count=1, batch_size=1)
  means = image.reshape(16, 3, 16, 3, 3).mean(axis=(1, 3))
  np.testing.assert_allclose(batch["image_hr"][0] * 255, means, atol=0.501)
  (validation,) = _take(pipelines.validation_dataset(source, _config(crop_size=8, crop_scales=(3,)), 1), 1)
  np.testing.assert_array_equal(np.rint(validation["image_hr"][0] * 255), image[16:32, 16:32])


def test_images_smaller_than_every_scale_s_crop_are_unusable(source):
  with pytest.raises(InputError, match="smaller than the crop of 64x64"), python_calls.reading_errors():
    _training(source, _config(crop_scales=(2, 3)), count=1)


def test_seeds_epochs_and_splits_differ(source):
  first, other_seed = (_training(source, _config(seed), count=1, batch_size=5)[0] for seed in (0, 1))
  second_epoch = _training(source, _config(), start=1, count=1, batch_size=5)[0]
  validation = _take(pipelines.validation_dataset(source, _config(), 5), 1)[0]
  for key in ("mask_lr", "image_hr"):
    examples = [example.tobytes() for batch in (first, other_seed, second_epoch, validation) for example in batch[key]]
    assert len(set(examples)) == 20, key
  assert not np.array_equal(_numbers([first]), _numbers([other_seed]))


def test_validation_is_fixed_centre_crops(source):
  twice = [_take(pipelines.validation_dataset(source, _config(), 2), 9) for _ in range(2)]
  assert [len(batch["mask_lr"]) for batch in twice[0]] == [2, 2, 1]
  _assert_equal(*twice)
  first = np.rint(twice[0][0]["image_hr"][0] * 255)
  assert first[0, 0, 1] == (40 - 32) // 2 and first[0, 0, 2] == (50 - 32) // 2
  other_seed = _take(pipelines.validation_dataset(source, _config(1), 2), 9)
  for batch, other in zip(twice[0], other_seed):
    np.testing.assert_array_equal(batch["image_hr"], other["image_hr"])
    assert not np.array_equal(batch["mask_lr"], other["mask_lr"])


@pytest.mark.parametrize("crop_size, scale", [(32, 1), (16, 1), (8, 3), (8, 4)])
def test_any_crop_size_and_scale(source, crop_size, scale):
  batch = _training(source, _config(crop_size=crop_size, scale=scale), count=1)[0]
  assert batch["image_hr"].shape == (2, crop_size * scale, crop_size * scale, 3)
  assert batch["image_lr"].shape == (2, crop_size, crop_size, 3)
  if scale == 1:
    np.testing.assert_array_equal(batch["image_hr"], batch["image_lr"])


@pytest.mark.parametrize("replicas", [1, 2, 8])
def test_replicas_share_the_same_global_batches(source, replicas):
  strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(replicas)])
  config = _config(crops_per_image=8)
  expected = _training(source, config, start=2, count=3, batch_size=8)
  shared = iter(
    devices.distributed_batches(
      strategy,
      lambda worker, workers: pipelines.training_dataset(
        source, config, 8, start_example=16, worker=worker, workers=workers
      ),
      8,
    )
  )
  for batch in expected:
    parts = {name: strategy.experimental_local_results(value) for name, value in next(shared).items()}
    assert all(len(part) == 8 // replicas for part in parts["mask_lr"])
    _assert_equal([{name: np.concatenate(part) for name, part in parts.items()}], [batch])


@pytest.mark.parametrize("crops_per_image", [1, 8])
def test_workers_share_the_same_global_batches(source, crops_per_image):
  config = _config(crops_per_image=crops_per_image)
  expected = _training(source, config, start=2, count=5, batch_size=6)
  parts = [_training(source, config, start=2, count=5, batch_size=6, worker=worker, workers=3) for worker in range(3)]
  for batch, shares in zip(expected, zip(*parts)):
    assert all(len(share["mask_lr"]) == 2 for share in shares)
    _assert_equal([{name: np.concatenate([share[name] for share in shares]) for name in batch}], [batch])


def test_data_may_go_on_in_the_middle_of_a_batch(source):
  """Where the batch size was changed."""
  whole = _training(source, _config(), count=6, batch_size=2)
  _assert_equal(
    _take(pipelines.training_dataset(source, _config(), 1, start_example=3), 1),
    [{name: value[1:] for name, value in whole[1].items()}],
  )


def test_own_masks_are_read_made_binary_and_used(source, tmp_path):
  for number in range(3):
    gray = np.zeros((30 + number, 70), np.uint8)
    gray[10 * number : 10 * number + 9] = 200 + number
    gray[0, 0] = 90
    (tmp_path / "below").mkdir(exist_ok=True)
    Image.fromarray(gray).save(tmp_path / ("below" if number else ".") / f"{number}.png")
  files = TrainingMasks(str(tmp_path), 16)
  assert [mask.shape for mask in files] == [(16, 37), (16, 36), (16, 35)]
  masks = MaskMixture.parse("folder", own_masks=OwnMasks(files))
  batches = _training(source, _config(masks=masks))
  drawn = [mask[..., 0] for batch in batches for mask in batch["mask_lr"]]
  assert all(set(np.unique(mask)) == {0, 1} for mask in drawn)
  # Scaled to the height of the crop, 16, the masks are wide bands of 9 / 30 of the height.
  assert all((mask == mask[:, :1]).all() and 4 <= mask[:, 0].sum() <= 6 for mask in drawn)
  assert len({mask.tobytes() for mask in drawn}) == 3
  shutil.rmtree(tmp_path / "below")  # They are kept in memory.
  _assert_equal(_training(source, _config(masks=masks)), batches)
  assert "3 masks" in files.fingerprint() and files.fingerprint() != TrainingMasks(str(tmp_path), 16).fingerprint()


_HOLE = cv2.circle(np.zeros((40, 60), np.uint8), (25, 17), 12, 1, -1)


@pytest.mark.parametrize(
  "name, levels",
  [
    ("a.png", _HOLE * np.uint8(255)),
    ("a.png", _HOLE),
    ("a.png", _HOLE.astype(np.uint16) * 255),
    ("a.tif", _HOLE.astype(np.uint16)),
    ("a.png", _HOLE * np.uint16(65535)),
    ("a.png", np.dstack([np.zeros((40, 60, 3), np.uint8), _HOLE * np.uint8(255)])),
    ("a.jpg", cv2.GaussianBlur(_HOLE * np.uint8(255), (0, 0), 2)),
  ],
  ids=["8 bits", "0 and 1", "16 bits, 0 and 255", "16 bits, 0 and 1", "16 bits", "alpha", "soft JPEG"],
)
def test_own_masks_are_read_as_those_of_inpainting(tmp_path, name, levels):
  Image.fromarray(levels).save(tmp_path / name)
  (mask,) = TrainingMasks(str(tmp_path), 40)
  np.testing.assert_array_equal(mask, mask_files.read_mask(str(tmp_path / name))[0])
  assert name == "a.jpg" or (mask == _HOLE).all()


@pytest.mark.parametrize(
  "levels, problem",
  [
    (_HOLE * np.uint8(128), "its brightest level is 50% of white"),
    (_HOLE * np.uint8(255) + cv2.rectangle(np.zeros_like(_HOLE), (48, 28), (53, 36), 100, -1), "painted below half"),
    (np.dstack([_HOLE[::-1] * np.uint8(255)] * 3 + [_HOLE * np.uint8(255)]), "its colours and its transparency"),
  ],
)
def test_own_masks_that_are_ambiguous_are_refused(tmp_path, levels, problem):
  Image.fromarray(levels).save(tmp_path / "a.png")
  # Without the options of inpainting.
  with pytest.raises(InputError, match=f"a.png: ambiguous as a mask: [^`]*{problem}[^`]*; make the hole white[^`]*$"):
    TrainingMasks(str(tmp_path), 40)


@pytest.mark.parametrize(
  "hole, message",
  [
    (np.zeros((9, 9)), "none of this mask is hole"),
    (np.ones((9, 9)), "all of this mask is hole"),
    (np.eye(400)[1:2], "1x400 pixels, one side more than 16 times the other"),
    (np.arange(400 * 400).reshape(400, 400) == 7, "none of this mask is hole"),
  ],
)  # Gone at the size of the crop.
def test_own_masks_without_use_are_refused(tmp_path, hole, message):
  image_files.write_mask(str(tmp_path / "a.png"), np.eye(9))
  image_files.write_mask(str(tmp_path / "b.png"), hole)
  with pytest.raises(InputError, match=f"b.png: {message}"):
    TrainingMasks(str(tmp_path), 16)


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"crop_size": 20}, "`crop_size`=20"),
    ({"crop_size": 0}, "`crop_size`=0"),
    ({"crop_size": 128}, "smaller than the crop of 128"),
    ({"crops_per_image": 0}, "`crops_per_image`=0"),
    ({"crops_per_image": 33}, "`crops_per_image`=33"),
    ({"flips": "sideways"}, "`flips`='sideways'"),
    ({"crop_scales": ()}, r"`crop_scales`=\(\)"),
    ({"crop_scales": (1, 0)}, r"`crop_scales`=\(1, 0\)"),
  ],
)
def test_unusable_configurations_are_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    _config(**changes)


def test_masks_that_leave_nothing_known_end_with_an_error(source):
  config = _config(masks=MaskMixture.parse("folder", own_masks=OwnMasks([np.ones((9, 9), np.uint8)])))
  with pytest.raises(InputError, match="No usable mask of 16x16 .*`crop_size`"):
    with python_calls.reading_errors():
      _training(source, config, count=1)


@pytest.fixture(name="spoilt", scope="module")
def _spoilt(data_dir, tmp_path_factory):
  """The folder of five images, and four files that cannot be used."""
  folder = tmp_path_factory.mktemp("spoilt") / "images"
  shutil.copytree(data_dir / "images", folder)
  (folder / "a_empty.jpg").write_bytes(b"")
  (folder / "b_text.png").write_text("not an image")
  (folder / "c_small.png").write_bytes((folder / "0.png").read_bytes())
  image_files.write_rgb(str(folder / "c_small.png"), np.zeros((20, 90, 3), np.uint8))
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  image_files.write_rgb(str(folder / "d_cut.png"), noise)
  (folder / "d_cut.png").write_bytes((folder / "d_cut.png").read_bytes()[:2000])
  return FolderSource(str(folder))


def test_unusable_images_are_skipped_named_once_and_counted(spoilt, capsys):
  bad_images = BadImages()
  batches = _training(spoilt, _config(), count=27, batch_size=1, bad_images=bad_images)  # Three epochs.
  counted = collections.Counter(_numbers(batches))
  assert len(counted) == 5 and min(counted.values()) >= 3  # Every usable image in every epoch.
  assert bad_images.count == 4
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 4
  for line, (name, reason) in zip(
    sorted(lines),
    (
      ("a_empty.jpg", "not an image"),
      ("b_text.png", "not an image"),
      ("c_small.png", "20x90 pixels, smaller than the crop of 32x32"),
      ("d_cut.png", "not an image"),
    ),
  ):
    assert line.startswith("skipped: ") and f"{name}: {reason}" in line
  _assert_equal(_training(spoilt, _config(), start=13, count=3, batch_size=1, bad_images=bad_images), batches[13:16])
  validation = _take(pipelines.validation_dataset(spoilt, _config(), 3, bad_images), 9)
  assert [len(batch["mask_lr"]) for batch in validation] == [3, 2]


def test_unusable_images_are_refused_if_asked(spoilt):
  with pytest.raises(InputError, match="(a_empty|b_text|c_small|d_cut)"):
    with python_calls.reading_errors():
      _training(spoilt, _config(), count=9, batch_size=1)
  with pytest.raises(InputError, match="a_empty.jpg"):
    with python_calls.reading_errors():
      _take(pipelines.validation_dataset(spoilt, _config(), 3), 9)


def test_a_lack_of_memory_is_no_fault_of_an_image(source, monkeypatch):
  def no_room(*_):
    raise MemoryError("no room")

  bad_images = BadImages()
  monkeypatch.setattr(type(source), "open", no_room)
  with pytest.raises(MemoryError):
    with python_calls.reading_errors():
      _training(source, _config(), count=1, bad_images=bad_images)
  assert not bad_images.count


def test_only_unusable_images_end_with_an_error_not_with_a_hang(spoilt):
  cut = dataclasses.replace(_config(), crop_size=64)
  with pytest.raises(InputError, match="none of the 9 images is usable"):
    with python_calls.reading_errors():
      _training(spoilt, cut, count=1, bad_images=BadImages())


def test_few_usable_images_among_many_are_enough(tmp_path):
  """Each unusable one is tried once, and then known."""
  image_files.write_rgb(str(tmp_path / "good.png"), stand_ins.coded_image(3, 40, 40))
  for number in range(300):
    (tmp_path / f"{number}.png").write_bytes(b"")
  source, bad_images = FolderSource(str(tmp_path)), BadImages()
  opened = []
  source.open = lambda index: opened.append(index) or FolderSource.open(source, index)
  sources.check_source(source, 32)
  assert set(_numbers(_training(source, _config(), count=20, bad_images=bad_images, parallel_calls=1))) == {3}
  assert bad_images.count > 100 and len(opened) < bad_images.count + 60  # 40 visits, and some ahead.


def test_an_image_damaged_half_way_takes_no_random_number(data_dir, tmp_path):
  """A tile that some crops need is damaged: the example that comes instead must not depend on when that was noticed."""
  shutil.copytree(data_dir / "tiles", tmp_path / "tiles")
  for index in range(4):
    picture = open_source("tfrecord", str(tmp_path / "tiles"), None, 2).open(index)
    tiles = [b"damaged" if number % 9 == 4 else tile for number, tile in enumerate(picture._tiles)]
    stand_ins.replace_tiles(tmp_path / "tiles", index, tiles)
  source = open_source("tfrecord", str(tmp_path / "tiles"), None, 2)
  config = _config(crops_per_image=4)
  whole = _training(source, config, count=40, bad_images=BadImages())
  for start in (3, 17, 33):
    _assert_equal(_training(source, config, start=start, count=2, bad_images=BadImages()), whole[start : start + 2])


def test_errors_with_names_that_are_not_utf_8(tmp_path):
  path = os.fsencode(tmp_path) + b"/\xff.png"
  with open(path, "wb") as file:
    file.write(b"nothing")
  with pytest.raises(InputError, match=r"\\udcff.png: not an image"):
    with python_calls.reading_errors():
      _training(FolderSource(str(tmp_path)), _config(), count=1)


def test_other_errors_of_the_pipeline_are_quoted(source, monkeypatch):
  def broken(*_):
    raise KeyError("a bug")

  monkeypatch.setattr(FolderSource, "open", broken)
  with pytest.raises(RuntimeError, match="(?s)Traceback.*a bug"):
    with python_calls.reading_errors():
      _training(source, _config(), count=1)


def test_no_thread_tunes_a_pipeline(source):
  """The thread sleeps, and the end of a long training would wait for it."""
  for batches in (pipelines.training_dataset(source, _config(), 4), pipelines.validation_dataset(source, _config(), 4)):
    assert batches.options().autotune.enabled is False


def test_a_process_ends_although_a_pipeline_is_running(forks, data_dir):
  script = (
    "import sys\n"
    "from z2i_tf.datasets import pipelines\n"
    "from z2i_tf.datasets.examples import ExampleConfig\n"
    "from z2i_tf.datasets.folder_source import FolderSource\n"
    "from z2i_tf.masks.mixture import MaskMixture\n"
    "config = ExampleConfig(16, 2, MaskMixture.parse('small'), 0)\n"
    "batches = iter(pipelines.training_dataset(FolderSource(sys.argv[1]), config, 400))\n"
    "next(batches)\n"
  )
  process = forks.start([str(data_dir / "images")], program=script)
  _, errors = process.communicate()
  assert process.returncode == 0, errors


def test_many_bad_images_are_counted_but_not_all_named(capsys):
  bad_images = BadImages()
  for number in range(30):
    for _ in range(2):
      bad_images.report(f"{number}.png", InputError(f"{number}.png: broken"))
  assert bad_images.count == 30
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 21 and "check-data --verbose names all" in lines[-1]
