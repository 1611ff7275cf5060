"""A checkpoint with the names and shapes of DeepFill-v2's published ones; its numbers are computed again in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from z2i_tf.cli.main import main

_WIDTH = 8  # 48 in the publication.
# (name, input channels, filters before the gate, side of the kernel), by hand from the publication's figure.
_W = _WIDTH
_COARSE = [
  ("conv1", 5, _W, 5),
  ("conv2_downsample", _W // 2, 2 * _W, 3),
  ("conv3", _W, 2 * _W, 3),
  ("conv4_downsample", _W, 4 * _W, 3),
  *((f"conv{name}", 2 * _W, 4 * _W, 3) for name in ("5", "6", "7_atrous", "8_atrous", "9_atrous", "10_atrous")),
]
_X = [
  ("xconv1", 3, _W, 5),
  ("xconv2_downsample", _W // 2, _W, 3),
  ("xconv3", _W // 2, 2 * _W, 3),
  ("xconv4_downsample", _W, 2 * _W, 3),
  ("xconv5", _W, 4 * _W, 3),
  *((f"xconv{name}", 2 * _W, 4 * _W, 3) for name in ("6", "7_atrous", "8_atrous", "9_atrous", "10_atrous")),
]
_PM = [
  ("pmconv1", 3, _W, 5),
  ("pmconv2_downsample", _W // 2, _W, 3),
  ("pmconv3", _W // 2, 2 * _W, 3),
  ("pmconv4_downsample", _W, 4 * _W, 3),
  *((f"pmconv{name}", 2 * _W, 4 * _W, 3) for name in ("5", "6", "9", "10")),
]


def _decoder(prefix, channels):
  return [
    (f"{prefix}conv11", channels, 4 * _W, 3),
    (f"{prefix}conv12", 2 * _W, 4 * _W, 3),
    (f"{prefix}conv13_upsample/{prefix}conv13_upsample_conv", 2 * _W, 2 * _W, 3),
    (f"{prefix}conv14", _W, 2 * _W, 3),
    (f"{prefix}conv15_upsample/{prefix}conv15_upsample_conv", _W, _W, 3),
    (f"{prefix}conv16", _W // 2, _W // 2, 3),
    (f"{prefix}conv17", _W // 4, 3, 3),
  ]


_LAYERS = [*_COARSE, *_decoder("", 2 * _W), *_X, *_PM, *_decoder("all", 4 * _W)]


@pytest.fixture(name="weights", scope="module")
def _weights():
  rng = np.random.default_rng(0)
  weights = {}
  for name, channels, filters, side in _LAYERS:
    deviation = 2.0 / np.sqrt(side * side * channels)
    weights[f"{name}/kernel"] = rng.normal(0, deviation, (side, side, channels, filters)).astype(np.float32)
    weights[f"{name}/bias"] = rng.normal(0, 0.1, filters).astype(np.float32)
  return weights


def _write(folder, weights, scope="inpaint_net/"):
  """Writes a TensorFlow 1 checkpoint with the generator, an optimizer's slot and a discriminator."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    values = {scope + name: value for name, value in weights.items()}
    values["inpaint_net/conv1/kernel/Adam"] = np.zeros(3, np.float32)
    values["discriminator/sn_patch_gan/conv1/kernel"] = np.zeros(3, np.float32)
    values["global_step"] = np.int64(7)
    variables = [tf.compat.v1.get_variable(name, initializer=value) for name, value in values.items()]
    session.run(tf.compat.v1.global_variables_initializer())
    return tf.compat.v1.train.Saver(variables).save(session, str(folder / "snap-0"), write_meta_graph=False)


def _conv(x, weights, name, stride=1, rate=1, activation="elu", gated=True):
  """TensorFlow's 'SAME' convolution of (H, W, C) in double precision, and the gate."""
  kernel, bias = weights[f"{name}/kernel"].astype(float), weights[f"{name}/bias"]
  reach = (kernel.shape[0] - 1) * rate
  height, width = (-(-side // stride) for side in x.shape[:2])
  padding = [max(0, (out - 1) * stride + reach + 1 - side) for out, side in zip((height, width), x.shape)]
  padded = np.pad(x, [*((each // 2, each - each // 2) for each in padding), (0, 0)])
  result = np.zeros((height, width, kernel.shape[-1])) + bias
  for row in range(kernel.shape[0]):
    for column in range(kernel.shape[1]):
      top, left = row * rate, column * rate
      seen = padded[top : top + (height - 1) * stride + 1 : stride, left : left + (width - 1) * stride + 1 : stride]
      result += seen @ kernel[row, column]
  if not gated:
    return result
  features, gates = np.split(result, 2, axis=-1)
  features = np.where(features > 0, features, np.expm1(np.minimum(features, 0)) if activation == "elu" else 0.0)
  return features / (1 + np.exp(-gates))


def _chain(x, weights, layers):
  for name, *_ in layers:
    last = name.rpartition("/")[2]
    rate = {"7_a": 2, "8_a": 4, "9_a": 8, "10_": 16}.get(last.rpartition("conv")[2][:3], 1)
    if "upsample" in last:
      x = x.repeat(2, axis=0).repeat(2, axis=1)
    x = _conv(x, weights, name, 2 if "downsample" in last else 1, rate, "relu" if last == "pmconv6" else "elu")
  return x


def _shrunk(x, factor):
  """Nearest, corners aligned."""
  places = [
    [int(np.floor(i * (side - 1) / max(1, side // factor - 1) + 0.5)) for i in range(side // factor)]
    for side in x.shape[:2]
  ]
  return x[places[0]][:, places[1]]


def _attention(x, mask):
  """By loops: patches, scores, their propagation, the softmax, and overlapping 4x4 blocks."""
  small, small_mask = _shrunk(x, 2), _shrunk(mask, 2)
  height, width, _ = small.shape
  count = height * width
  padded, near = np.pad(small, [(1, 1), (1, 1), (0, 0)]), np.pad(small_mask, 1)
  places = [(row, column) for row in range(height) for column in range(width)]
  patches = np.array([padded[row : row + 3, column : column + 3].ravel() for row, column in places])
  known = np.array([near[row : row + 3, column : column + 3].max() == 0 for row, column in places], float)
  scores = patches @ (patches / np.maximum(np.linalg.norm(patches, axis=1, keepdims=True), 1e-4)).T
  for order in (list(range(count)), [row * width + column for column in range(width) for row in range(height)]):
    moved = np.zeros_like(scores)
    for i, query in enumerate(order):
      for j, key in enumerate(order):
        for step in (-1, 0, 1):
          if 0 <= i + step < count and 0 <= j + step < count:
            moved[query, key] += scores[order[i + step], order[j + step]]
    scores = moved
  logits = 10 * scores * known
  weights = np.exp(logits - logits.max(axis=1, keepdims=True))
  weights = weights / weights.sum(axis=1, keepdims=True) * known
  raw = np.pad(x, [(1, 1), (1, 1), (0, 0)])
  total = np.zeros_like(raw)
  for query, (row, column) in enumerate(places):
    for key, (key_row, key_column) in enumerate(places):
      block = raw[2 * key_row : 2 * key_row + 4, 2 * key_column : 2 * key_column + 4]
      total[2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += weights[query, key] * block
  return total[1:-1, 1:-1] / 4


def _generator(image, mask, weights):
  """The published inference graph: image (H, W, 3) in [0, 1], mask (H, W) -> both stages in [0, 1]."""
  mask = mask[..., np.newaxis].astype(float)
  known = (2.0 * image - 1.0) * (1 - mask)
  decoder, all_decoder = _decoder("", 2 * _W), _decoder("all", 4 * _W)
  x = _chain(np.concatenate([known, np.ones_like(mask), mask], axis=-1), weights, _COARSE + decoder[:-1])
  coarse = np.tanh(_conv(x, weights, "conv17", gated=False))
  pasted = coarse * mask + known
  invented = _chain(pasted, weights, _X)
  copied = _attention(_chain(pasted, weights, _PM[:-2]), _shrunk(mask[..., 0], 4))
  x = _chain(np.concatenate([invented, _chain(copied, weights, _PM[-2:])], axis=-1), weights, all_decoder[:-1])
  return coarse / 2 + 0.5, np.tanh(_conv(x, weights, "allconv17", gated=False)) / 2 + 0.5


def test_an_imported_checkpoint_gives_the_published_graphs_numbers(weights, tmp_path, capsys):
  prefix = _write(tmp_path, weights)
  args = ["convert-checkpoint", "--from=deepfill_v2", f"--original={prefix}", f"--output={tmp_path}/model"]
  assert main(args) == 0
  assert "coarse, refine; zoom none x1, width 8 (deepfill_v2)" in capsys.readouterr().out
  rng = np.random.default_rng(1)
  image = rng.random((32, 40, 3)).astype(np.float32)
  mask = np.zeros((32, 40), np.uint8)
  mask[5:17, 9:24] = 1
  coarse, refined = _generator(image, mask, weights)
  outputs = z2i_tf.Inpainter.load(str(tmp_path / "model")).outputs(image, mask)
  # The inpainter rounds to 16 bits.
  np.testing.assert_allclose(outputs["coarse"][mask == 1], coarse[mask == 1], atol=2e-4)
  np.testing.assert_allclose(outputs["refined"], refined, atol=5e-4)
  assert coarse.std() > 0.05 and refined.std() > 0.05  # Neither is saturated or flat.


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda weights: weights.pop("xconv5/bias"), "not a checkpoint of DeepFill-v2: no variable inpaint_net/xconv5"),
    (lambda weights: weights.update({"conv18/bias": np.zeros(2, np.float32)}), "an unknown variable inpaint_net/conv"),
    (
      lambda weights: weights.update({"xconv1/kernel": np.zeros((5, 5, 5, _W), np.float32)}),
      "refine/conv00/kernel has shape (5, 5, 5, 8), the model needs (5, 5, 3, 8)",
    ),
  ],
)
def test_another_checkpoint_is_one_line(weights, tmp_path, capsys, change, message):
  weights = dict(weights)
  change(weights)
  args = ["convert-checkpoint", "--from=deepfill_v2", f"--original={_write(tmp_path, weights)}"]
  assert main([*args, f"--output={tmp_path}/model"]) == 2
  error = capsys.readouterr().err
  assert message in error and error.count("\n") == 1 and not (tmp_path / "model").exists()


def test_a_zoom_goes_around_it(weights, tmp_path, capsys):
  args = ["convert-checkpoint", "--from=deepfill_v2", f"--original={_write(tmp_path, weights)}"]
  assert main([*args, f"--output={tmp_path}/model", "--zoom=bicubic"]) == 0
  assert "zoom bicubic x2" in capsys.readouterr().out
  assert main([*args, f"--output={tmp_path}/model", "--zoom=bicubic", "--scale=5"]) == 2
  assert "Received: scale=5" in capsys.readouterr().err
  assert main(["convert-checkpoint", *args[2:], f"--output={tmp_path}/model"]) == 2
  assert "it has no coarse network" in capsys.readouterr().err
