"""Measures a model beside OpenCV's Telea and Navier-Stokes (radius 5) on photographs.

Of each photograph the centre crop is taken, with one fixed mask of the kind; the photographs should not be
among those the model was trained on. Prints Markdown tables of the means.
"""

from absl import flags

from z2i_tf.cli import flag_groups

_KINDS = ("small", "large")


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string("image_dir", None, "Folder of photographs.", flag_values=values)
  flags.DEFINE_integer("crop_size", 256, "Side of the centre crop, pixels.", lower_bound=16,
                       flag_values=values)
  flag_groups.define_seed_flag(values)
  flag_groups.define_model_choice_flag(values)


def run(values: flags.FlagValues) -> None:
  flag_groups.require(values, "image_dir")
  import numpy as np
  from z2i_tf.datasets import pipelines
  from z2i_tf.datasets.sources import FolderSource
  from z2i_tf.evaluation import baselines
  from z2i_tf.evaluation import evaluate
  from z2i_tf.inference.inpainter import Inpainter

  source = FolderSource(values.image_dir)
  methods = {**baselines.METHODS, f"z2i ({values.model})": Inpainter.load(values.model)}
  for kind in _KINDS:
    masks = flag_groups.mask_mixture(kind, "kind")
    examples = [
        pipelines.validation_example(source, index, values.crop_size, values.crop_size, masks, values.seed)
        for index in range(len(source))]
    table = evaluate.evaluate(methods, examples)
    ratio = 100 * np.mean([mask.mean() for _, mask in examples])
    print(evaluate.format_table(f"{kind} masks, {ratio:.2f}% hole, {len(source)} images", table) + "\n")
