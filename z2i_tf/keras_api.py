"""The one place that says where Keras comes from.

TensorFlow up to 2.15 carries Keras 2 as `tf.keras`. From 2.16 on `tf.keras` is Keras 3, and Keras 2
lives on as the package `tf_keras`. The networks, the synchronised batch norm and the optimizers are
written for Keras 2. The variable TF_USE_LEGACY_KERAS may be set or not.
"""

import tensorflow as tf

# True where `tf.keras` is Keras 2.
is_bundled_with_tensorflow = tuple(int(part) for part in tf.__version__.split(".")[:2]) < (2, 16)

if is_bundled_with_tensorflow:
  keras = tf.keras
else:
  import tf_keras as keras  # type: ignore[no-redef]

initializers = keras.initializers
layers = keras.layers
mixed_precision = keras.mixed_precision
optimizers = keras.optimizers
Model = keras.Model
VGG19 = keras.applications.VGG19
vgg19_preprocess_input = keras.applications.vgg19.preprocess_input
get_file = keras.utils.get_file
Mean = keras.metrics.Mean
register_serializable = keras.utils.register_keras_serializable
