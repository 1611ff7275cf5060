"""Table of commands: module, purpose, required flags, examples. Help and completion read it."""

import importlib
from types import ModuleType
from typing import NamedTuple

from absl import flags


class Command(NamedTuple):
  """A command.

  Attributes:
    module: in z2i_tf.cli, with `define_flags` and `run`. Its `ARGUMENTS` and `OPTIONAL_ARGUMENTS` name positional
      arguments, which `run` receives after the flags. If it has `PASSED_ON`, their name in the usage line, `run`
      receives a list of the arguments after "--" as its last argument.
    text: one line of help.
    required: names of the required flags.
    examples: command lines.
  """

  module: str
  text: str
  required: tuple[str, ...] = ()
  examples: tuple[str, ...] = ()

  def load(self) -> tuple[ModuleType, flags.FlagValues]:
    """Returns the module and its flags, not yet parsed."""
    module = importlib.import_module(f"z2i_tf.cli.{self.module}")
    values = flags.FlagValues()
    module.define_flags(values)
    return module, values


GROUPS: dict[str, dict[str, Command]] = {
  "Fill holes": {
    "inpaint": Command(
      "inpaint",
      "fill the holes of one image, or of a folder of images",
      (),
      ("z2i inpaint photo.png mask.png -o filled.png", "z2i inpaint photos/ masks/ -o filled/ --resume"),
    ),
    "beam-inpaint": Command(
      "beam_inpaint",
      "fill the holes of many images by Apache Beam, on one or many machines",
      ("images", "masks", "output"),
      (
        "z2i beam-inpaint --images='in/**.jpg' --masks=masks --output=out --resume",
        "z2i beam-inpaint --images=a --masks=b --output=c -- --direct_num_workers=2",
      ),
    ),
    "app": Command(
      "app",
      "open a web page to paint away parts of photographs",
      (),
      ("z2i app --open", "z2i app --model=runs/joint --port=8100"),
    ),
    "demo": Command(
      "demo",
      "inpaint the sample photographs and draw a comparison sheet",
      (),
      ("z2i demo --output_dir=demo_output", "z2i demo --model=full --output_dir=demo_full"),
    ),
  },
  "Train": {
    "pretrain": Command(
      "pretrain",
      "train the coarse, the SR or the refinement network alone",
      ("network", "work_dir"),
      (
        "z2i pretrain --network=coarse --data_dir=photos --work_dir=coarse",
        "z2i pretrain --flagfile=flags/pretrain_sr.cfg --data_dir=photos --work_dir=sr",
      ),
    ),
    "train": Command(
      "train",
      "train the networks and the discriminator jointly",
      ("work_dir",),
      (
        "z2i train --init_all=compact --data_dir=photos --work_dir=tuned",
        "z2i train --flagfile=flags/overfit.cfg --work_dir=overfit",
      ),
    ),
    "recipe": Command(
      "recipe",
      "run several training stages; each starts from the weights of the last",
      ("stages", "work_dir"),
      (
        "z2i recipe --flagfile=flags/compact.cfg --data_dir=photos --work_dir=runs",
        "z2i recipe --flagfile=flags/paper.cfg --work_dir=runs/paper",
      ),
    ),
  },
  "Data": {
    "check-data": Command(
      "check_data",
      "check every image of a data set",
      (),
      ("z2i check-data --data_dir=photos --crop_size=256 --scale=2", "z2i check-data --data_dir=photos --quick"),
    ),
    "prepare": Command(
      "prepare",
      "convert a data set for fast random crops",
      ("output_dir",),
      (
        "z2i prepare --data_dir=photos --output_dir=records",
        "z2i prepare --source=div2k --output_dir=records --shards=4",
      ),
    ),
    "beam-prepare": Command(
      "beam_prepare",
      "run prepare with Apache Beam, on one or many machines",
      ("output_dir",),
      (
        "z2i beam-prepare --data_dir=photos --output_dir=records --shards=256",
        "z2i beam-prepare --data_dir=a --output_dir=b -- --direct_num_workers=2",
      ),
    ),
    "show-batch": Command(
      "show_batch",
      "draw training examples",
      ("output",),
      (
        "z2i show-batch --data_dir=photos --output=batch.png",
        "z2i show-batch --data_dir=photos --mask_kind=large --output=batch.png",
      ),
    ),
    "masks": Command(
      "masks",
      "write random masks as PNG files",
      ("output_dir",),
      ("z2i masks --count=10 --output_dir=masks", "z2i masks --kind=object --size=512x768 --output_dir=masks"),
    ),
    "make-testset": Command(
      "make_testset",
      "write a test set: fixed images and masks",
      ("output_dir",),
      (
        "z2i make-testset --data_dir=photos --output_dir=testset",
        "z2i make-testset --data_dir=photos --kinds=object --output_dir=testset",
      ),
    ),
  },
  "Measure": {
    "evaluate": Command(
      "evaluate",
      "evaluate models, other methods' results and OpenCV on a test set",
      ("output_dir",),
      (
        "z2i evaluate --testset=testset --output_dir=comparison",
        "z2i evaluate --testset=testset --model=compact,full --output_dir=both",
      ),
    ),
    "beam-evaluate": Command(
      "beam_evaluate",
      "run evaluate with Apache Beam, on one or many machines",
      ("output_dir",),
      (
        "z2i beam-evaluate --testset=testset --output_dir=comparison",
        "z2i beam-evaluate --testset=a --output_dir=b -- --direct_num_workers=2",
      ),
    ),
    "compare": Command(
      "compare",
      "compare two evaluations image by image",
      (),
      ("z2i compare runs/a runs/b", "z2i compare runs/a runs/a --methods=telea,compact"),
    ),
    "mask-stats": Command(
      "mask_stats",
      "measure the hole sizes of random masks",
      ("output_dir",),
      ("z2i mask-stats --output_dir=mask_stats", "z2i mask-stats --kinds=object --output_dir=object_masks"),
    ),
    "complexity": Command(
      "complexity",
      "count parameters and operations of models; time them",
      ("output_dir",),
      ("z2i complexity --output_dir=complexity", "z2i complexity --model=compact,full --output_dir=complexity"),
    ),
    "doctor": Command("doctor", "check the installation, devices and memory", (), ("z2i doctor", "z2i doctor --help")),
  },
  "Report": {
    "report": Command(
      "report",
      "collect analyses in one HTML page, beside the paper's numbers",
      ("runs",),
      ("z2i report --runs=runs", "z2i report --runs=runs --output_dir=page"),
    ),
    "intermediate": Command(
      "intermediate",
      "draw the output of every network of a model",
      ("image_dir", "mask_dir", "output_dir"),
      (
        "z2i intermediate --image_dir=photos --mask_dir=masks --output_dir=outputs",
        "z2i intermediate --image_dir=in --mask_dir=masks --count=1 --output_dir=out",
      ),
    ),
    "side-by-side": Command(
      "side_by_side",
      "draw results of an evaluation side by side",
      ("run", "output_dir"),
      (
        "z2i side-by-side --run=runs/comparison --output_dir=pictures",
        "z2i side-by-side --run=runs/comparison --count=3 --output_dir=pictures",
      ),
    ),
    "failures": Command(
      "failures",
      "draw the results of an evaluation with the largest holes",
      ("run", "output_dir"),
      (
        "z2i failures --run=runs/comparison --output_dir=failures",
        "z2i failures --run=runs/comparison --count=3 --output_dir=failures",
      ),
    ),
    "study": Command(
      "study",
      "run a user study that compares methods in a browser",
      ("study_dir",),
      ("z2i study --study_dir=study --ours=z2i --result_dir=z2i=a,telea=b", "z2i study --study_dir=study --summary"),
    ),
  },
  "Models": {
    "export": Command(
      "export",
      "write a model as a SavedModel, TFLite or ONNX file",
      ("output",),
      ("z2i export --output=saved_model --verify", "z2i export --format=tflite --output=z2i.tflite"),
    ),
    "convert-checkpoint": Command(
      "convert_checkpoint",
      "convert a checkpoint of the authors' code, or DeepFill-v2's, to a model",
      ("original", "output"),
      (
        "z2i convert-checkpoint --original=folder/ckpt-1500 --output=paper",
        "z2i inpaint photo.png mask.png -o filled.png --model=paper",
      ),
    ),
    "import-weights": Command(
      "import_weights",
      "convert weights in an .npz file to a model",
      ("weights", "output"),
      (
        "z2i import-weights --weights=weights.npz --output=mine",
        "z2i inpaint photo.png mask.png -o filled.png --model=mine",
      ),
    ),
  },
  "Shell": {
    "completion": Command(
      "completion",
      "print a completion script for a shell",
      (),
      (
        "source <(z2i completion bash)      # in ~/.bashrc; zsh: in ~/.zshrc",
        "z2i completion fish > ~/.config/fish/completions/z2i.fish",
      ),
    )
  },
}
COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}
