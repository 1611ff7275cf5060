"""Picks the spectral normalisation wrapper (Miyato et al. 2018, arXiv:1802.05957).

tensorflow_addons' wrapper does one power iteration per training call, divides the kernel *in place* by
the estimate and freezes outside training: outputs and gradients recorded from the original networks are
those of this wrapper. Where tensorflow_addons cannot be installed (TensorFlow 2.16 and newer) Keras' own
wrapper serves instead; it does the same in training, with the vector `u` under another name.
"""

import warnings

from z2i_tf.keras_api import is_bundled_with_tensorflow
from z2i_tf.keras_api import layers


def _wrapper_class():
  if not is_bundled_with_tensorflow:
    return layers.SpectralNormalization
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # The package announces its end of life on every import.
    import tensorflow_addons
  return tensorflow_addons.layers.SpectralNormalization


def spectral_norm(layer: layers.Layer) -> layers.Layer:
  """Wraps a layer that has a `kernel`; the wrapper's `u` has shape (1, channels), truncated normal 0.02."""
  return _wrapper_class()(layer, name=layer.name)
