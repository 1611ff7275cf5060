"""Models of other methods: every adapter on a stand-in network with the inputs and outputs of that method's export.

Each stand-in fills the hole with the mean of the known pixels, computed in its own layout, range and polarity: a wrong
adapter gives other colours. No weights of another method were run.
"""

import json
import os
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

import z2i_tf
from z2i_tf.cli.main import main
from z2i_tf.errors import InputError
from z2i_tf.images import image_files
from z2i_tf.inference import model_store
from z2i_tf.inference.foreign import adapters
from z2i_tf.inference.foreign import edges
from z2i_tf.inference.foreign import predictor
from z2i_tf.inference.foreign import runtimes

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

_FLOAT, _UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
_NCHW = ("N", 3, "H", "W")
_MASK = ("N", 1, "H", "W")


def _write_onnx(path, nodes, inputs, outputs, constants=(), kind=_FLOAT):
  """Writes a graph of (operation, inputs, output[, attributes]) with named inputs and outputs of one kind."""
  made = [onnx.helper.make_node(each[0], each[1], [each[2]], **(each[3] if len(each) > 3 else {})) for each in nodes]
  tensors = [
    [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in each.items()]
    for each in (inputs, outputs)
  ]
  stored = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()]
  graph = onnx.helper.make_graph(made, "stand_in", *tensors, stored)
  onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
  return str(path)


def _mean_nodes(image, mask, result):
  """Nodes that set the hole of `image` (mask 1 there, image 0) to the mean of the rest."""
  return [
    ("ReduceSum", [image, "axes"], "total"),
    ("Sub", ["one", mask], "known"),
    ("ReduceSum", ["known", "axes"], "count"),
    ("Div", ["total", "count"], "mean"),
    ("Mul", ["mean", mask], "patch"),
    ("Add", [image, "patch"], result),
  ]


_CONSTANTS = {"axes": np.array([2, 3]), "one": np.float32(1), "weight": np.zeros((3, 5), np.float32)}


def _lama(folder, shape=_NCHW, mask_shape=_MASK):
  nodes = [*_mean_nodes("image", "mask", "filled"), ("Mul", ["filled", "white"], "output")]
  constants = {**_CONSTANTS, "white": np.float32(255)}
  return _write_onnx(folder / "lama.onnx", nodes, {"image": shape, "mask": mask_shape}, {"output": shape}, constants)


def _migan(folder):
  """Takes and returns 8 bits; in its mask 255 is known."""
  nodes = [
    ("Cast", ["image"], "pixels", {"to": _FLOAT}),
    ("Cast", ["mask"], "levels", {"to": _FLOAT}),
    ("Div", ["levels", "white"], "is_known"),
    ("Sub", ["one", "is_known"], "hole"),
    *_mean_nodes("pixels", "hole", "filled"),
    ("Round", ["filled"], "rounded"),
    ("Cast", ["rounded"], "result", {"to": _UINT8}),
  ]
  constants = {**_CONSTANTS, "white": np.float32(255)}
  return _write_onnx(
    folder / "migan.onnx", nodes, {"image": _NCHW, "mask": _MASK}, {"result": _NCHW}, constants, _UINT8
  )


def _pluralistic(folder):
  """Values from -1 to 1; in its mask 1 is known."""
  sides = (1, 3, 256, 256)
  nodes = [("Sub", ["one", "mask"], "hole"), *_mean_nodes("image", "hole", "output")]
  return _write_onnx(
    folder / "p.onnx", nodes, {"image": sides, "mask": (1, 1, 256, 256)}, {"output": sides}, _CONSTANTS
  )


def _edgeconnect(folder, edge_channels=(2, 3), inpaint_nodes=None):
  """The first network returns some of its channels (gray, edges, mask); the second fills the hole, given its mask."""
  folder = folder / "networks"
  folder.mkdir()
  rest = ("N", None, "H", "W")
  depth = edge_channels[1] - edge_channels[0]
  cuts = {"first": [edge_channels[0]], "last": [edge_channels[1]], "three": [3], "zero": [0], "all": [3 + depth]}
  constants = {**_CONSTANTS, "axis": np.array([1]), **{name: np.array(each) for name, each in cuts.items()}}
  inpaint_nodes = inpaint_nodes or [
    ("Slice", ["input", "zero", "three", "axis"], "image"),
    ("Slice", ["input", "three", "all", "axis"], "mask"),
    ("Sub", ["image", "mask"], "black"),  # The hole is white.
    *_mean_nodes("black", "mask", "output"),
  ]
  for name, nodes, channels in (
    ("edge", [("Slice", ["input", "first", "last", "axis"], "output")], 3),
    ("inpaint", inpaint_nodes, 3 + depth),
  ):
    _write_onnx(folder / f"{name}.onnx", nodes, {"input": (1, channels, "H", "W")}, {"output": rest}, constants)
  return str(folder)


def _mean_fill(image, hole):
  total = tf.reduce_sum(image * (1.0 - hole), axis=[1, 2], keepdims=True)
  return image * (1.0 - hole) + hole * total / tf.reduce_sum(1.0 - hole, axis=[1, 2], keepdims=True)


class _Module(tf.Module):
  def __init__(self, function, **signature):
    super().__init__()
    self.weight = tf.Variable(tf.ones([3, 5]))
    scaled = lambda **inputs: function(inputs, tf.reduce_mean(self.weight))  # noqa: E731
    specs = {name: tf.TensorSpec(shape, tf.float32, name) for name, shape in signature.items()}
    self.fill = tf.function(scaled).get_concrete_function(**specs)


def _hifill(folder):
  """A SavedModel of a converted graph: BGR, 0 to 255."""
  module = _Module(
    lambda inputs, one: {"inpainted": one * _mean_fill(inputs["img"], inputs["mask"]), "attention": inputs["mask"]},
    img=[None, 512, 512, 3],
    mask=[None, 512, 512, 1],
  )
  tf.saved_model.save(module, str(folder / "hifill"), module.fill)
  return str(folder / "hifill")


def _deepfill_v2(folder, size=(16, 24)):
  """A TFLite file: image in BGR, mask beside it; the result is in RGB."""

  def fill(inputs, one):
    image, mask = tf.split(inputs["input"], 2, axis=2)
    return {"output": one * tf.reverse(_mean_fill(image, mask[..., :1] / 255.0), [-1])}

  module = _Module(fill, input=[1, size[0], 2 * size[1], 3])
  converter = tf.lite.TFLiteConverter.from_concrete_functions([module.fill], module)
  (folder / "deepfill.tflite").write_bytes(converter.convert())
  return str(folder / "deepfill.tflite")


_STAND_INS = {
  "deepfill_v2": _deepfill_v2,
  "edgeconnect": _edgeconnect,
  "hifill": _hifill,
  "lama": _lama,
  "migan": _migan,
  "pluralistic": _pluralistic,
}


def _case(height, width):
  """Smooth colours, unlike in the three channels, with a hole away from the middle."""
  rng = np.random.default_rng(0)
  image = np.linspace(0, 120, height * width * 3).reshape(height, width, 3) + rng.integers(0, 60, 3) + [60, 20, 0]
  mask = np.zeros((height, width), np.uint8)
  mask[3:7, 4:9] = 1
  return image.astype(np.uint8), mask


def _reflected_mean(image, mask, height, width):
  """The mean of the known pixels after padding by reflection."""
  padding = (0, height - image.shape[0]), (0, width - image.shape[1])
  known = np.pad(mask, padding, "reflect") == 0
  return np.pad(image, (*padding, (0, 0)), "reflect")[known].mean(axis=0)


@pytest.mark.parametrize("name", _STAND_INS)
def test_an_adapter_fits_its_method(name, tmp_path):
  model = f"{name}:{_STAND_INS[name](tmp_path)}"
  inpainter = z2i_tf.Inpainter.load(model)
  adapter = adapters.read(adapters.find(model)[0])
  image, mask = _case(13, 21)
  sides = {"deepfill_v2": (16, 24), "lama": (16, 24), "migan": (13, 21), "edgeconnect": (16, 24)}
  expected = _reflected_mean(image, mask, *(adapter.fixed or sides[name]))
  result = inpainter(np.where(mask[..., np.newaxis] == 1, 99, image).astype(np.uint8), mask, native=True)
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  assert np.abs(result[mask == 1] - expected).max() <= 1
  # Nothing under the hole is seen.
  np.testing.assert_array_equal(inpainter(image, mask, native=True), result)
  assert f"adapter='{name}'" in repr(inpainter)


def test_every_adapter_has_a_stand_in():
  assert adapters.bundled_names() == sorted(_STAND_INS)


def test_a_larger_image_is_shrunk_for_a_network_of_one_size(tmp_path):
  """In proportion; every hole pixel is filled, from known pixels alone."""
  inpainter = z2i_tf.Inpainter.load(f"deepfill_v2:{_deepfill_v2(tmp_path, (16, 24))}")
  image = np.zeros((50, 60, 3), np.uint8)
  image[:] = 10, 100, 200
  mask = np.zeros((50, 60), np.uint8)
  mask[7:30, 13:40] = 1
  image[mask == 1] = 255
  result = inpainter(image, mask, native=True)
  assert np.abs(result[mask == 1] - [10.0, 100.0, 200.0]).max() <= 1


def test_shrinking_covers_the_whole_hole(tmp_path):
  """A network that paints its hole white: no pixel of the hole at full size is taken from outside of it."""
  nodes = [("Concat", ["mask"] * 3, "three", {"axis": 1}), ("Mul", ["three", "white"], "output")]
  shapes = {"image": (1, 3, 16, 24), "mask": (1, 1, 16, 24)}
  path = _write_onnx(tmp_path / "net.onnx", nodes, shapes, {"output": (1, 3, 16, 24)}, {"white": np.float32(255)})
  mask = np.zeros((60, 70), np.uint8)
  mask[9:34, 11:46] = 1
  image = np.zeros((60, 70, 3), np.uint8)
  result = z2i_tf.Inpainter.load(f"lama:{path}")(image, mask, native=True)
  assert result[mask == 1].min() >= 120


def test_pyramid_texture_and_blend_serve_it(tmp_path):
  model = f"lama:{_lama(tmp_path)}"
  inpainter = z2i_tf.Inpainter.load(model)
  image = np.random.default_rng(1).integers(90, 110, (170, 180, 3), np.uint8)
  image[..., 0] += 100
  mask = np.zeros((170, 180), np.uint8)
  mask[20:150, 40:165] = 1  # Thicker than the adapter's maximum: halved once.
  assert [piece.halvings for piece in inpainter.plan(image, mask)] == [1]
  result = inpainter(image, mask)
  np.testing.assert_array_equal(result[mask == 0], image[mask == 0])
  inside = result[mask == 1].astype(float)
  np.testing.assert_allclose(inside.mean(axis=0), image[mask == 0].mean(axis=0), atol=4)
  assert inside.std(axis=0).min() > 2  # Texture.
  for patch in inpainter.patches(image, mask):
    np.testing.assert_array_equal(patch.pixels, result[patch.box])


@pytest.fixture(name="files")
def _files(tmp_path):
  image, mask = _case(24, 32)
  for name in ("images", "masks"):
    (tmp_path / name).mkdir()
  image_files.write_rgb(str(tmp_path / "images" / "a.png"), image)
  image_files.write_mask(str(tmp_path / "masks" / "a.png"), mask)
  return tmp_path


def test_inpaint_evaluate_and_complexity_take_it(files, capsys):
  """The adapter lies beside one of the models; both are named."""
  pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
  lama, migan = _lama(files), _migan(files)
  os.rename(files / "lama.onnx", files / "mine.onnx")
  content = (adapters.find(f"lama:{lama}")[0], files / "mine.json")
  content[1].write_text(open(content[0]).read())
  flags = [f"--image_dir={files}/images", f"--output_dir={files}/out"]
  models = f"--model=LaMa={files}/mine.onnx,MI-GAN=migan:{migan}"
  assert main(["evaluate", models, f"--mask_dir=masks={files}/masks", "--baseline=", *flags]) == 0
  record = json.loads((files / "out" / "comparison.json").read_text())
  assert record["methods"]["LaMa"]["adapter"] == "mine" and record["methods"]["MI-GAN"]["adapter"] == "migan"
  assert record["methods"]["LaMa"]["parameters"] == 15  # Without the scalars 1 and 255.
  scores = [record["scores"]["masks"][name]["PSNR"][0] for name in record["methods"]]
  assert abs(scores[0] - scores[1]) < 0.1
  args = ["complexity", models, "--size=16x16", "--count=1", f"--output_dir={files}/complexity"]
  assert main(args) == 0
  described = json.loads((files / "complexity" / "complexity.json").read_text())
  assert described["models"]["LaMa"]["parameters"]["total"] == 15 and "flops" not in described["models"]["LaMa"]
  assert {"LaMa, float32", "MI-GAN, uint8"} < set(described["latency"])
  assert main(["report", f"--runs={files}", f"--output_dir={files}/report"]) == 0
  report = (files / "report" / "report.md").read_text()
  assert "| This run: out | LaMa | " in report and "| This run: complexity | LaMa, float32 | **0.00M** | - |" in report
  args = [f"{files}/images/a.png", f"{files}/masks/a.png", "-o", f"{files}/filled.png", f"--model=migan:{migan}"]
  assert main(["inpaint", *args]) == 0
  assert main(["inpaint", *args, "--native", f"--dump_dir={files}/dump"]) == 2
  assert "shows only its result" in capsys.readouterr().err


def _with_adapter(folder, change):
  """LaMa's stand-in with a changed adapter of its own beside it."""
  path = _lama(folder)
  with open(adapters.find(f"lama:{path}")[0], encoding="utf-8") as file:
    adapter = json.load(file)
  change(adapter)
  (folder / "lama.json").write_text(json.dumps(adapter))
  return path


def _network(adapter):
  return adapter["networks"][0]


def _with_size(size):
  return lambda adapter: adapter.update(size=size)


@pytest.mark.parametrize("size, expected", [({"multiple": 8.0}, 8), ({"multiple": 8}, 8), ({"fixed": [16.0, 24.0]}, 1)])
def test_whole_numbers_of_an_adapter_may_have_a_decimal_point(tmp_path, size, expected):
  path = _with_adapter(tmp_path, _with_size(size))
  adapter = adapters.read(str(tmp_path / "lama.json"))
  assert adapter.multiple == expected and isinstance(adapter.multiple, int)
  assert adapter.fixed == ((16, 24) if "fixed" in size else None)
  image, mask = _case(16, 24)
  assert np.asarray(z2i_tf.Inpainter.load(path)(image, mask, native=True)).shape == (16, 24, 3)


@pytest.mark.parametrize("size", [{"multiple": 8.5}, {"multiple": "8"}, {"fixed": [16.5, 24]}, {"multiple": 0.0}])
def test_other_numbers_as_sizes_of_an_adapter_are_refused(tmp_path, size):
  with pytest.raises(InputError, match="lama.json: size"):
    z2i_tf.Inpainter.load(_with_adapter(tmp_path, _with_size(size)))


@pytest.mark.parametrize("name, damaged_name, count", [(b"HEIGHT", b"HEI\xffHT", -1), (b"filled", b"fil\xffed", 1)])
def test_an_onnx_file_with_damaged_names_is_one_line(tmp_path, capfd, name, damaged_name, count):
  path = _lama(tmp_path, shape=("N", 3, "HEIGHT", "W"))
  content = (tmp_path / "lama.onnx").read_bytes()
  assert name in content
  (tmp_path / "lama.onnx").write_bytes(damaged_name.join(content.rsplit(name, count)))
  capfd.readouterr()
  with pytest.raises(InputError, match="lama.onnx: cannot be loaded: ") as caught:
    runtimes.load(path)
  assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda adapter: adapter.pop("size"), "lama.json: the adapter: 'size' is a required property"),
    (lambda adapter: adapter.update(mask="white"), "'mask' was unexpected"),
    (lambda adapter: adapter.update(max_thickness_px=10**400), "max_thickness_px: 1"),
    (lambda adapter: _network(adapter)["output"].update(layout="HWC"), "networks/0/output/layout: 'HWC'"),
    (lambda adapter: _network(adapter)["output"].update(range=[1, 1]), "a `range` whose two values are equal"),
    (lambda adapter: _network(adapter)["output"].update(name="out"), "its outputs are output, the adapter's out"),
    (
      lambda adapter: _network(adapter)["inputs"][0].update(name="x"),
      "its inputs are image, mask, the adapter's mask, x",
    ),
    (lambda adapter: _network(adapter)["inputs"].pop(), "its inputs are image, mask, the adapter's image"),
    (lambda adapter: _network(adapter)["inputs"][1]["parts"][0].update(channels=3), "batch 1 and 3 channels"),
    (lambda adapter: adapter["networks"].append(_network(adapter)), "several networks need a `name` each"),
    (
      lambda adapter: _network(adapter)["inputs"][0].update(parts=[{"kind": "previous"}]),
      "the first network has no previous one",
    ),
  ],
)
def test_an_adapter_that_does_not_fit_is_one_line(tmp_path, change, message):
  with pytest.raises(InputError) as caught:
    z2i_tf.Inpainter.load(_with_adapter(tmp_path, change))
  assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
  "change, message",
  [
    (lambda network: network["output"].update(layout="NHWC"), "has shape .1, 3, 16, 24. in the order NHWC, for an im"),
    (
      lambda network: network["inputs"][0].update(layout="NHWC"),
      "input image has shape .x3x.x.; height and width must",
    ),
  ],
)
def test_a_wrong_layout_of_a_network_of_any_size_is_noticed(tmp_path, change, message):
  path = _with_adapter(tmp_path, lambda adapter: change(_network(adapter)))
  image, mask = _case(16, 24)
  with pytest.raises(InputError, match=message):
    z2i_tf.Inpainter.load(path)(image, mask, native=True)


def test_a_fixed_size_has_to_be_the_networks(tmp_path):
  path = _pluralistic(tmp_path)
  with pytest.raises(InputError, match="takes images of 256x256; expected 512x512"):
    content = json.loads(open(adapters.find(f"pluralistic:{path}")[0]).read())
    (tmp_path / "p.json").write_text(json.dumps({**content, "size": {"fixed": [512, 512]}}))
    z2i_tf.Inpainter.load(path)


@pytest.mark.parametrize(
  "model, message",
  [
    ("nothing:{0}/lama.onnx", "no adapter nothing; there are deepfill_v2, edgeconnect"),
    ("{0}/lama.onnx", "needs an adapter: write {0}/lama.json, or give ADAPTER:{0}/lama.onnx"),
    ("lama:{0}/other.onnx", "{0}/other.onnx: no such file"),
    ("lama:{0}", "{0}: neither an ONNX file (.onnx), a TFLite file (.tflite) nor the folder of a SavedModel"),
    ("lama:{0}/damaged.onnx", "{0}/damaged.onnx: cannot be loaded: "),
    ("lama:{0}/damaged.tflite", "{0}/damaged.tflite: cannot be loaded: "),
    ("edgeconnect:{0}", "{0}: no network edge in it: neither edge.onnx nor edge.tflite"),
    ("migan:{0}/lama.onnx", "its outputs are output, the adapter's result"),
  ],
)
def test_a_model_that_cannot_be_used_is_one_line(files, capsys, model, message):
  _lama(files)
  for name in ("damaged.onnx", "damaged.tflite"):
    (files / name).write_bytes(b"no model")
  args = [f"{files}/images/a.png", f"{files}/masks/a.png", "-o", f"{files}/filled.png"]
  assert main(["inpaint", *args, f"--model={model.format(files)}"]) == 2
  error = capsys.readouterr().err
  assert message.format(files) in error and error.count("\n") == 1
  assert not (files / "filled.png").exists()


def test_what_cannot_be_done_with_it_is_one_line(files, capsys, monkeypatch):
  model = f"lama:{_lama(files)}"
  assert main(["export", f"--model={model}", f"--output={files}/out"]) == 2
  with pytest.raises(InputError, match="computes in `precision`=float32, not bfloat16"):
    z2i_tf.Inpainter.load(model, "bf16")
  monkeypatch.setitem(sys.modules, "onnxruntime", None)
  with pytest.raises(InputError, match="needs onnxruntime: pip install 'z2i_tf.onnx.'"):
    z2i_tf.Inpainter.load(model)
  assert "a model of another method can only fill holes" in capsys.readouterr().err


@pytest.fixture(name="tflite")
def _tflite(tmp_path):
  """A network without signature; its tensors have the converter's names."""
  function = tf.function(lambda image, mask: 255.0 * _mean_fill(image, mask)).get_concrete_function(
    tf.TensorSpec([1, None, None, 3], tf.float32, "image"), tf.TensorSpec([1, None, None, 1], tf.float32, "mask")
  )
  path = tmp_path / "net.tflite"
  path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
  return runtimes.load(str(path))


def test_a_tflite_file_without_signature(tflite):
  assert set(tflite.inputs) == {"image", "mask"} and tflite.inputs["image"].shape == (1, None, None, 3)
  (output,) = tflite.outputs
  for sides in ((6, 8), (5, 7)):
    image, mask = np.ones((1, *sides, 3), np.float32), np.zeros((1, *sides, 1), np.float32)
    np.testing.assert_allclose(tflite.run({"image": image, "mask": mask}, output), 255 * image)


def test_threads_share_a_tflite_file(tflite, monkeypatch):
  """The second thread starts while the first has set its tensors, and has not run yet."""
  invoke, (output,), results = tflite._interpreter.invoke, tflite.outputs, {}

  def slow():
    time.sleep(0.3)
    invoke()

  def run(value):
    image, mask = np.full((1, 4, 4, 3), value, np.float32), np.zeros((1, 4, 4, 1), np.float32)
    results[value] = tflite.run({"image": image, "mask": mask}, output).mean()

  monkeypatch.setattr(tflite._interpreter, "invoke", slow)
  threads = [threading.Thread(target=run, args=(value,)) for value in (0.0, 1.0)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert results == {0.0: 0.0, 1.0: 255.0}


def _save(path, names=("serving_default",), shape=(None, None, None, 3), fill=lambda image: image):
  """Writes a SavedModel with signatures from `image` to `output`."""
  module = tf.Module()
  spec = tf.TensorSpec(shape, tf.float32, "image")
  module.fill = tf.function(lambda image: {"output": fill(image)}).get_concrete_function(image=spec)
  tf.saved_model.save(module, str(path), {name: module.fill for name in names})
  return str(path)


def test_signatures_of_a_saved_model(tmp_path):
  with pytest.raises(InputError, match="cannot be loaded: signatures a, b; expected serving_default$"):
    runtimes.load(_save(tmp_path / "several", ("b", "a")))
  with pytest.raises(InputError, match="cannot be loaded: no signatures$"):
    runtimes.load(_save(tmp_path / "none", ()))
  assert runtimes.load(_save(tmp_path / "one", ("a",))).outputs == ["output"]


def test_a_saved_model_of_unknown_rank(tmp_path):
  runtime = runtimes.load(_save(tmp_path / "net", shape=None))
  assert runtime.inputs["image"].shape == (None,) * 4
  image = np.ones((1, 2, 3, 3), np.float32)
  np.testing.assert_array_equal(runtime.run({"image": image}, "output"), image)


def test_errors_of_a_saved_model_are_one_line(tmp_path, monkeypatch):
  """Such as a convolution that processors lack; a lack of memory passes, as the caller reports it."""
  runtime = runtimes.load(_save(tmp_path / "net"))
  image = {"image": np.ones((1, 2, 2, 3), np.float32)}

  def fail_with(kind):
    def fail(**_):
      raise kind(None, None, "no such\nkernel")

    monkeypatch.setattr(runtime, "_function", fail)

  for kind in (tf.errors.UnimplementedError, tf.errors.NotFoundError):
    fail_with(kind)
    with pytest.raises(InputError, match="net: refuses its inputs: no such kernel$"):
      runtime.run(image, "output")
  fail_with(tf.errors.ResourceExhaustedError)
  with pytest.raises(tf.errors.ResourceExhaustedError):
    runtime.run(image, "output")


@pytest.mark.parametrize("own", ["model.npz", os.path.join("assets.extra", "z2i_tf.json")])
def test_a_json_file_beside_our_own_model_is_no_adapter(tmp_path, monkeypatch, own):
  monkeypatch.chdir(tmp_path)
  for name in ("joint", "compact", "other"):
    (tmp_path / name).mkdir()
    (tmp_path / f"{name}.json").write_text("{}")
  (tmp_path / "joint" / own).parent.mkdir(exist_ok=True)
  (tmp_path / "joint" / own).touch()
  assert adapters.find("joint") is None and adapters.find("compact") is None
  assert adapters.find("other") == ("other.json", "other")


@pytest.mark.parametrize("model", ["gs://models/compact", "gs://models/net.onnx", "lama:gs://models/net.onnx"])
def test_a_model_elsewhere_is_one_line(model):
  with pytest.raises(InputError, match=f"^`model`={model}: models are read from local files; copy it to this machine$"):
    adapters.find(model)


def _onnx_with_external_data(folder, value):
  """A network whose weights lie in weights.bin, beside it."""
  _write_onnx(
    folder / "net.onnx",
    [("Mul", ["image", "weight"], "output")],
    {"image": _NCHW},
    {"output": _NCHW},
    {"weight": np.full((1, 3, 1, 1), value, np.float32)},
  )
  model = onnx.load(folder / "net.onnx")
  for file in ("net.onnx", "weights.bin"):
    (folder / file).unlink(missing_ok=True)
  onnx.save_model(model, folder / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
  return str(folder / "net.onnx")


def test_a_network_that_fixes_one_side_is_one_line(tmp_path):
  path = _lama(tmp_path, shape=("N", 3, 16, "W"), mask_shape=("N", 1, 16, "W"))
  with pytest.raises(InputError, match="height and width must both be fixed or both free"):
    z2i_tf.Inpainter.load(f"lama:{path}")


def test_external_data_is_part_of_a_model(tmp_path):
  path = _onnx_with_external_data(tmp_path, 1.0)
  file, first = (tmp_path / "net.onnx").read_bytes(), model_store.content_hash(f"lama:{path}")
  assert runtimes.load(path).parameters == 3 and model_store.content_hash(f"lama:{path}") == first
  assert (tmp_path / "net.onnx").read_bytes() == (_onnx_with_external_data(tmp_path, 2.0) and file)
  assert model_store.content_hash(f"lama:{path}") != first
  (tmp_path / "weights.bin").unlink()
  with pytest.raises(InputError, match="weights.bin: cannot be read"):
    model_store.content_hash(f"lama:{path}")


def test_values_that_are_no_numbers_are_one_line(tmp_path):
  nodes = [("Concat", ["mask"] * 3, "three", {"axis": 1}), ("Div", ["three", "image"], "output")]
  path = _write_onnx(tmp_path / "net.onnx", nodes, {"image": _NCHW, "mask": _MASK}, {"output": _NCHW})
  image, mask = _case(16, 24)
  with pytest.raises(InputError, match="output output contains NaN or infinite values$"):
    z2i_tf.Inpainter.load(f"lama:{path}")(image, mask, native=True)


def test_edgeconnect_gets_gray_edges_and_mask(tmp_path):
  """The first network returns its three channels, and the second shows them."""
  shown = [("Slice", ["input", "three", "all", "axis"], "output")]
  loaded = predictor.load(f"edgeconnect:{_edgeconnect(tmp_path, (0, 3), shown)}")
  image = np.random.default_rng(2).uniform(0.0, 0.1, (24, 40, 3)).astype(np.float32)
  image[:, 25:] += np.array([0.9, 0.5, 0.2], np.float32)
  hole = np.zeros((24, 40), bool)
  hole[5:15, 3:12] = True
  gray = 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]
  lines = edges.known_edges(gray, hole)
  assert 0 < lines.sum() < 100
  (seen,) = loaded.fill(image[np.newaxis], hole[np.newaxis])
  np.testing.assert_allclose(seen, np.stack([np.where(hole, 1.0, gray), lines, hole], -1), atol=1e-6)


def test_edges_are_those_of_known_pixels():
  """A step of brightness is one line of edges; the border of the hole is none."""
  gray = np.zeros((40, 60), np.float32)
  gray[:, 30:] = 1.0
  hole = np.zeros(gray.shape, bool)
  hole[10:20, 5:15] = hole[25:35, 25:40] = True
  gray[hole] = 0.7
  found = edges.known_edges(gray, hole)
  assert set(np.unique(found)) == {0.0, 1.0} and not found[hole].any()
  rows, columns = np.nonzero(found)
  assert set(columns) <= {29, 30} and {0, 22, 39} <= set(rows) and not {25, 30, 34} & set(rows)
