"""Zoom-to-Inpaint in TensorFlow 2: image inpainting with high-frequency details.

Public names are imported on first use, so that importing the package is quick and has no side effects.

Reference: Kim et al., "Zoom-to-Inpaint: Image Inpainting with High-Frequency Details", CVPRW 2022
(arXiv:2012.09401).
"""

import importlib

from z2i_tf.system import quiet_tensorflow

__version__ = "0.1.0"

_PUBLIC = {
  "ExampleConfig": "z2i_tf.datasets.examples",
  "FolderSource": "z2i_tf.datasets.folder_source",
  "Inpainter": "z2i_tf.inference.inpainter",
  "InputError": "z2i_tf.errors",
  "LossWeights": "z2i_tf.losses.terms",
  "MaskMixture": "z2i_tf.masks.mixture",
  "ModelConfig": "z2i_tf.models.architecture",
  "ZoomInpainter": "z2i_tf.keras_inpainter",
  "keras": "z2i_tf.keras_api",
  "load_model": "z2i_tf.keras_inpainter",
  "training_dataset": "z2i_tf.datasets.pipelines",
  "validation_dataset": "z2i_tf.datasets.pipelines",
}
_WITHOUT_TENSORFLOW = ("InputError",)

__all__ = list(_PUBLIC)


def __getattr__(name):
  if name not in _PUBLIC:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  if name not in _WITHOUT_TENSORFLOW:
    quiet_tensorflow.load()
  return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
  return sorted(list(globals()) + __all__)
