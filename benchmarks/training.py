"""Joint training steps on this machine: ours against a plain step written from the paper.

  python benchmarks/training.py [--width=64] [--batch=4] [--sizes=64] [--rounds=3] [--thorough]

The plain step is the paper's description in ordinary TensorFlow: one forward pass of the package's networks, four
passes of VGG19 (those of the labels outside the tape), one persistent tape, automatic gradients, two Adams. Both start
from the same weights. For every size, with VGG19 (random weights: time does not depend on them):
- seconds per step in float32 and mixed_bfloat16 (ours as `z2i train` runs it, with the check for non-finite steps):
  medians over steps of both kinds in turn, in one process;
- the largest relative difference of their losses in the first step;
- FLOPs of our step as TensorFlow's profiler counts them on the traced graph, per second, as a share of the rate of a
  2048x2048 float32 product in the same process. The profiler does not know einsum (the resizes), and counts nothing
  where it cannot infer a shape;
- the time by kind of operation, if our step with VGG19 is slower than the plain one.
--thorough: sizes 64 and 128, 5 rounds, and also
- the same without VGG19;
- peak resident memory of either kind, each in a process of its own;
- seconds per step with VGG19, ours in mixed_bfloat16 (VGG19 too) beside the plain one in float32.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import arithmetic
import machine
from z2i_tf import conventions
from z2i_tf.keras_api import keras
from z2i_tf.keras_api import Model
from z2i_tf.keras_api import optimizers
from z2i_tf.keras_api import VGG19
from z2i_tf.keras_api import vgg19_preprocess_input
from z2i_tf.models import model_weights
from z2i_tf.models.architecture import ModelConfig
from z2i_tf.models.patch_discriminator import patch_discriminator
from z2i_tf.models.zoom_inpainter import ZoomInpainter
from z2i_tf.training import devices
from z2i_tf.training import joint
from z2i_tf.training.devices import networks_in
from z2i_tf.training.skip_nonfinite import skip_nonfinite

_SCALE = 2
_LEARNING_RATE = 1e-4
_SHOWN_KINDS = 10
_FEATURE_LAYER = "block4_conv1"
_VGG_SIDE = 224
_PRECISIONS = _FLOAT32, _BFLOAT16 = ("float32", "mixed_bfloat16")


def _plain_features(vgg_path):
  vgg = VGG19(include_top=False, weights=vgg_path)
  vgg = Model(vgg.input, vgg.get_layer(_FEATURE_LAYER).output, trainable=False)
  return lambda image: vgg(
    vgg19_preprocess_input(255.0 * tf.image.resize(image, [_VGG_SIDE] * 2, "bilinear", antialias=True))
  )


class _PlainStep:
  """The joint update as the specification reads; returns "loss/generator" and "loss/adversarial_discriminator"."""

  def __init__(self, width, precision, vgg_path):
    with networks_in(precision):
      self.networks = ZoomInpainter(ModelConfig(width=width, scale=_SCALE)).networks
    self.networks[conventions.DISCRIMINATOR] = patch_discriminator(width)
    self._features = _plain_features(vgg_path) if vgg_path else None
    self._optimizers = [optimizers.Adam(_LEARNING_RATE) for _ in range(2)]

  def __call__(self, batch):
    coarse_net, sr_net, refine_net, judge = self.networks.values()
    x, x_hr, m = batch["image_lr"], batch["image_hr"], batch["mask_lr"]
    m_hr = tf.image.resize(m, _SCALE * tf.shape(m)[1:3], "nearest")
    labels = [self._features(label) for label in (x, x_hr)] if self._features else []
    with tf.GradientTape(persistent=True) as tape:
      coarse = coarse_net(tf.concat([x * (1.0 - m), m], axis=-1), training=True)
      zoomed = sr_net(coarse, training=True)
      refined = refine_net(tf.concat([zoomed, m_hr], axis=-1), training=True)
      composed = refined * m_hr + x_hr * (1.0 - m_hr)
      real = judge(tf.concat([x_hr, m_hr], axis=-1), training=True)
      fake = judge(tf.concat([composed, m_hr], axis=-1), training=True)
      down, right = tf.image.image_gradients(composed - x_hr)
      loss = (
        tf.reduce_mean(tf.abs(coarse - x))
        + tf.reduce_mean(tf.abs(zoomed - x_hr))
        + tf.reduce_mean(tf.abs(composed - x_hr))
        + tf.reduce_mean(down**2 + right**2)
        - 0.5 * tf.reduce_mean(fake)
      )
      if self._features:
        for weight, image, label in zip((0.01, 1e-5), (coarse, composed), labels):
          loss += weight * tf.reduce_mean(tf.abs(self._features(image) - label))
      judge_loss = tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))
    variables = [v for net in (coarse_net, sr_net, refine_net) for v in net.trainable_variables]
    for value, trained, optimizer in (
      (loss, variables, self._optimizers[0]),
      (judge_loss, judge.trainable_variables, self._optimizers[1]),
    ):
      optimizer.apply_gradients(zip(tape.gradient(value, trained), trained))
    return {"loss/generator": loss, "loss/adversarial_discriminator": judge_loss}


class _OurStep:
  """The project's joint step as `z2i train` runs it, with the attributes of the plain one."""

  def __init__(self, width, precision, vgg_path, batch_size):
    config = joint.JointConfig(
      work_dir="",
      width=width,
      scale=_SCALE,
      perceptual_weights=vgg_path or "none",
      iterations=1,
      batch_size=batch_size,
      learning_rates=(_LEARNING_RATE,),
      decay_fractions=(),
      precision=precision,
    )
    stage = joint.build(config, devices.make_strategy())
    self.networks = stage.networks
    # Traced with everything else, as one graph, so that its operations can be counted.
    self._step = skip_nonfinite(stage.step, stage.strategy, stage.variables, jit_compile=False).python_function

  def __call__(self, batch):
    return self._step(batch, tf.constant(0.0))


class _Run:
  """One kind of step, traced for one batch."""

  def __init__(self, kind, precision, batch, arguments, vgg_path):
    keras.utils.set_random_seed(0)
    self.step = (
      _PlainStep(arguments.width, precision, vgg_path)
      if kind == "plain"
      else _OurStep(arguments.width, precision, vgg_path, arguments.batch)
    )
    self._batch = batch
    self._function = tf.function(self.step, autograph=False)

  def __call__(self):
    """Runs a step to its end; returns its losses."""
    return {name: float(value) for name, value in self._function(self._batch).items()}

  def seconds(self):
    start = time.perf_counter()
    self()
    return time.perf_counter() - start

  def flops(self):
    return arithmetic.count_flops(self._function.get_concrete_function(self._batch))


def _random_batch(size, batch_size):
  rng = np.random.default_rng(0)
  mask = np.zeros((batch_size, size, size, 1), np.float32)
  mask[:, size // 4 : size // 2, size // 4 : size // 2] = 1.0
  image_hr = rng.random((batch_size, size * _SCALE, size * _SCALE, 3), np.float32)
  image_lr = tf.image.resize(image_hr, [size] * 2, "bicubic", antialias=True)
  return {"image_hr": tf.constant(image_hr), "image_lr": image_lr, "mask_lr": tf.constant(mask)}


def _peak_mib():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure_time(size, precision, plain_precision, arguments, vgg_path):
  batch = _random_batch(size, arguments.batch)
  ours, plain = (
    _Run(kind, of_kind, batch, arguments, vgg_path)
    for kind, of_kind in (("ours", precision), ("plain", plain_precision))
  )
  model_weights.assign_arrays(plain.step.networks, model_weights.read_arrays(ours.step.networks), "our step")
  our_losses, plain_losses = ours(), plain()
  rates, seconds = [arithmetic.product_rate()], ([], [])
  for _ in range(arguments.rounds):
    for run, times in zip((ours, plain), seconds):
      times.append(run.seconds())
  rates.append(arithmetic.product_rate())
  our_seconds, plain_seconds = (statistics.median(times) for times in seconds)
  ratio = plain_seconds / our_seconds
  return {
    "ours_s": our_seconds,
    "plain_s": plain_seconds,
    "ratio": ratio,
    "flops": ours.flops(),
    "rate": statistics.mean(rates),
    "loss_difference": max(abs(our_losses[name] / value - 1.0) for name, value in plain_losses.items()),
    "by_kind": (dict(arithmetic.seconds_by_kind(ours).most_common(_SHOWN_KINDS)) if vgg_path and ratio < 1.0 else {}),
  }


def _measure_memory(kind, size, precision, arguments, vgg_path):
  run = _Run(kind, precision, _random_batch(size, arguments.batch), arguments, vgg_path)
  before = _peak_mib()
  for _ in range(3):
    run()
  return {"before": before, "peak": _peak_mib()}


def _in_child(what, size, precision, with_vgg, arguments, folder):
  """Runs one measurement in a process of its own and returns its dictionary."""
  command = [
    sys.executable,
    os.path.abspath(__file__),
    f"--width={arguments.width}",
    f"--batch={arguments.batch}",
    f"--rounds={arguments.rounds}",
    f"--child={what},{size},{precision},{int(with_vgg)},{folder}",
  ]
  return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def _child(arguments):
  what, size, precision, with_vgg, folder = arguments.child.split(",")
  vgg_path = os.path.join(folder, "vgg19.h5") if int(with_vgg) else None
  if what in ("time", "across"):
    result = _measure_time(int(size), precision, precision if what == "time" else _FLOAT32, arguments, vgg_path)
  else:
    result = _measure_memory(what, int(size), precision, arguments, vgg_path)
  print(json.dumps(result))


def _write_random_vgg(folder):
  keras.utils.set_random_seed(19)
  VGG19(include_top=False, weights=None).save_weights(os.path.join(folder, "vgg19.h5"))


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument("--width", type=int, default=64)
  parser.add_argument("--batch", type=int, default=4)
  parser.add_argument("--sizes", default="64", help="low-resolution crops, pixels")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--thorough", action="store_true", help="all of the above; twenty minutes")
  parser.add_argument("--child", help=argparse.SUPPRESS)
  arguments = parser.parse_args()
  tf.get_logger().setLevel("ERROR")  # The profiler announces its deprecation.
  if arguments.child:
    _child(arguments)
    return
  if arguments.thorough:
    arguments.sizes, arguments.rounds = "64,128", 5
  machine.print_load()
  print(
    f"width {arguments.width}, batch {arguments.batch}, {os.cpu_count()} cores, medians of {arguments.rounds} rounds"
  )
  print(
    "| LR crop | VGG | precision | plain s | ours s | plain / ours | plain MiB | ours MiB | ours TFLOP | share of "
    "product rate | losses differ by |\n|" + "---|" * 11
  )
  where = []
  with tempfile.TemporaryDirectory() as folder:
    _write_random_vgg(folder)
    for size in arguments.sizes.split(","):
      for with_vgg in (True, False) if arguments.thorough else (True,):
        for precision in _PRECISIONS:
          row = _in_child("time", size, precision, with_vgg, arguments, folder)
          peaks = ["", ""]
          if arguments.thorough:
            peaks = [
              f"{_in_child(kind, size, precision, with_vgg, arguments, folder)['peak']:.0f}"
              for kind in ("plain", "ours")
            ]
          print(
            f"| {size} | {'yes' if with_vgg else 'no'} | {precision} | {row['plain_s']:.2f} | "
            f"{row['ours_s']:.2f} | {row['ratio']:.2f} | {peaks[0]} | {peaks[1]} | "
            f"{row['flops'] / 1e12:.2f} | "
            f"{100 * row['flops'] / row['ours_s'] / row['rate']:.0f}% of {row['rate'] / 1e9:.0f} GFLOP/s | "
            f"{row['loss_difference']:.1e} |",
            flush=True,
          )
          if row["by_kind"]:
            where.append((size, precision, row["by_kind"]))
    if arguments.thorough:
      print(f"\nOurs in {_BFLOAT16} beside the plain step in {_FLOAT32}, with VGG19")
      print("| LR crop | plain s | ours s | plain / ours | losses differ by |\n|" + "---|" * 5)
    for size in arguments.sizes.split(",") if arguments.thorough else ():
      row = _in_child("across", size, _BFLOAT16, True, arguments, folder)
      print(
        f"| {size} | {row['plain_s']:.2f} | {row['ours_s']:.2f} | {row['ratio']:.2f} | {row['loss_difference']:.1e} |",
        flush=True,
      )
  for size, precision, by_kind in where:
    print(f"\nWhere the {size} px, {precision} step with VGG spends its time, seconds per kind of operation:")
    for kind, seconds in by_kind.items():
      print(f"  {seconds:7.3f}  {kind}")


if __name__ == "__main__":
  main()
