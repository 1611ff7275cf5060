"""Layers for inference from the arrays of a model file, without building Keras networks (which takes seconds)."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from z2i_tf.errors import InputError
from z2i_tf.inference.fast import layers as fast_layers
from z2i_tf.models import blocks


class LayerReader:
  """Hands out one network's layers in order of application, and checks that its arrays are these layers'.

  Every method raises InputError naming the source and an array that is missing or misshapen.
  """

  def __init__(self, arrays: Mapping[str, np.ndarray], network: str, dtype: tf.DType, source: str):
    """Takes arrays of a model file; `source` says in errors where they come from."""
    self._network, self._dtype, self._source = network, dtype, source
    self._arrays = {name: array for name, array in arrays.items() if name.startswith(network + "/")}
    self._read = set()
    self._counts = {"conv": 0, "bn": 0}

  def conv(self, channels: int, filters: int, dtype: tf.DType | None = None, relu: bool = False) -> fast_layers.Conv:
    """Returns the next layer: a plain convolution, of another type than the network's if that is said."""
    return fast_layers.Conv(**self._next_conv(channels, filters), dtype=dtype or self._dtype, relu=relu)

  def gated(self, channels: int, filters: int, dilation_rate: int = 1) -> fast_layers.GatedBlock:
    """Returns the next block; `filters` counts before the gate."""
    return fast_layers.GatedBlock(
      self._next_block(channels, filters), self._dtype, blocks.BATCH_NORM_EPSILON, dilation_rate
    )

  def encoder_level(
    self, channels: int, filters: int, dilation_rates: Sequence[int] = (1,) * blocks.ENCODER_CONVS
  ) -> fast_layers.EncoderLevel:
    """Returns the next level of the encoder, or its bottleneck."""
    return fast_layers.EncoderLevel(
      [
        self.gated(channels if number == 0 else filters // 2, filters, rate)
        for number, rate in enumerate(dilation_rates)
      ]
    )

  def decoder_level(self, channels: int, filters: int, with_last: bool = False) -> fast_layers.DecoderLevel:
    """Returns the next level of the decoder, and the network's last convolution if asked for."""
    upscaled = fast_layers.UpscaledGatedBlock(
      self._next_block(channels, filters), self._dtype, blocks.BATCH_NORM_EPSILON
    )
    layers = [self.gated(filters // 2, filters) for _ in range(blocks.DECODER_CONVS - 1)]
    return fast_layers.DecoderLevel(upscaled, layers, self.conv(filters // 2, 3, tf.float32) if with_last else None)

  def check_all_are_read(self) -> None:
    """Raises InputError if an array belongs to none of the layers."""
    left = self._arrays.keys() - self._read
    if left:
      raise InputError(
        f"{self._source} has an array with no place in the model, {min(left)}: it is not of this model's configuration"
      )

  def _next_conv(self, channels, filters):
    return self._next("conv", {"kernel": (3, 3, channels, filters), "bias": (filters,)})

  def _next_block(self, channels, filters):
    norm = dict.fromkeys(("gamma", "beta", "mean", "var"), (filters // 2,))
    return {**self._next_conv(channels, filters), **self._next("bn", norm)}

  def _next(self, kind, shapes):
    layer = f"{self._network}/{kind}{self._counts[kind]:02d}"
    self._counts[kind] += 1
    weights = {}
    for name, shape in shapes.items():
      entry = f"{layer}/{name}"
      if entry not in self._arrays:
        raise InputError(f"{self._source} has no array {entry}: it is not of this model's configuration")
      weights[name] = self._arrays[entry]
      if weights[name].shape != shape:
        raise InputError(
          f"{self._source}: {entry} has shape {weights[name].shape}, the model needs {shape}; check the "
          "widths and the scale"
        )
      self._read.add(entry)
    return weights
