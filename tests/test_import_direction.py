"""Imports go one way (see WORKSPACE.md), and importing the package is light."""

import ast
import os
import subprocess
import sys

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = os.path.join(_ROOT, "z2i_tf")
_OPEN = {"conventions", "errors", "keras_api", "system"}
_ALLOWED = {
  "__init__": {"*"},
  "__main__": {"cli"},
  "conventions": set(),
  "errors": set(),
  "keras_api": set(),
  "system": set(),
  "image_ops": set(),
  "images": set(),
  "keras_inpainter": {"models", "losses", "training", "inference"},
  "masks": set(),
  "layers": {"image_ops"},
  "losses": {"image_ops"},
  "models": {"layers", "image_ops"},
  "datasets": {"masks", "images"},
  "metrics": set(),
  "analyses": {"metrics", "images", "masks", "models", "inference", "image_ops"},
  "evaluation": {"analyses", "datasets", "images", "image_ops", "inference", "masks", "metrics", "models"},
  "report": {"analyses", "metrics", "images"},
  "study": {"analyses", "images", "metrics", "web"},
  "web": set(),
  "app": {"web", "inference", "images"},
  "training": {"models", "losses", "metrics", "datasets", "masks", "image_ops"},
  "inference": {"layers", "models", "images", "image_ops"},
  "export": {"inference", "models", "image_ops"},
  "compat": {"models"},
  "beam": {"datasets", "evaluation", "images", "inference", "metrics"},
  "cli": {"*"},
}


def _sources():
  for parent, _, names in os.walk(_PACKAGE):
    for name in sorted(names):
      if name.endswith(".py"):
        path = os.path.join(parent, name)
        yield os.path.relpath(path, _PACKAGE), ast.parse(open(path, encoding="utf-8").read())


def _imports(tree):
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, "imports are absolute"
      yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path, tree", list(_sources()), ids=lambda value: value if isinstance(value, str) else "")
def test_file_imports_only_what_its_package_may(path, tree):
  package = path.split(os.sep)[0].removesuffix(".py")
  allowed = _ALLOWED[package] | _OPEN | {package} if package != "masks" else {"masks"}
  for name in _imports(tree):
    if name.startswith("z2i_tf."):
      assert name.split(".")[1] in allowed or "*" in allowed or name == "z2i_tf.__version__", name
    if name.startswith(("tensorflow.keras", "keras", "tf_keras")):
      assert path == "keras_api.py", name
    if name.startswith("absl"):
      assert package == "cli", name


def test_keras_is_named_in_one_place():
  for path, tree in _sources():
    uses = [
      node
      for node in ast.walk(tree)
      if isinstance(node, ast.Attribute)
      and node.attr == "keras"
      and isinstance(node.value, ast.Name)
      and node.value.id == "tf"
    ]
    assert not uses or path == "keras_api.py", path


def test_help_and_flag_errors_do_not_import_tensorflow():
  script = (
    "import sys, z2i_tf; from z2i_tf.cli.main import main, COMMANDS\n"
    "assert main(['--help']) == 0\n"
    "assert all(main([name, '--help']) == 0 for name in COMMANDS)\n"
    "assert main(['train', '--widht=3']) == 2 and main(['train']) == 2 and main(['pretrain']) == 2\n"
    "assert main(['paint']) == 2\n"
    "assert main(['recipe', '--work_dir=x', '--stages=nowhere.cfg']) == 2\n"
    "assert not {'tensorflow', 'cv2', 'numpy'} & set(sys.modules), sorted(sys.modules)\n"
  )
  done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  assert "did you mean --width" in done.stderr
  assert done.stderr.count("\n") == 5
