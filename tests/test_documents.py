"""Runs the commands and the code of the documents with small stand-in data; checks links, flags and the site."""

import functools
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests import documents
from tests import test_import_direction
import z2i_tf
from z2i_tf.cli.commands import COMMANDS
from z2i_tf.cli.main import main
from z2i_tf.images import image_files

_LANGUAGES = ("bibtex", "json", "python", "sh", "text")
_MAX_LINES = {"README.md": 159, "WORKSPACE.md": 149}
_SERVERS = ("app",)  # Commands that serve until they are stopped: only their flags are read.
_HAS_BEAM = importlib.util.find_spec("apache_beam") is not None
_SMALLER = {"--count=100": ("--count=2",), "--output_dir=testset": ("--output_dir=testset", "--crop_size=64")}
_OTHER_FLAGS = ("constraint", "flagfile", "help", "no-deps", "upgrade")  # Of pip, absl and uv.
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)(?: \{ #([\w-]+) \})?$", re.MULTILINE)
_PAGES = documents.paths()
pytestmark = pytest.mark.usefixtures("models_loaded_once")


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
  """A folder with everything that the documents' commands read."""
  folder = tmp_path_factory.mktemp("documents")
  samples = os.path.join(documents.ROOT, "data", "images")
  mask = np.zeros((512, 768), np.uint8)
  mask[240:270, 300:330] = 255
  for name in ("photos", "masks", "other_photos"):
    (folder / name).mkdir()
  for name in ("coffee", "rocket"):
    image = cv2.resize(image_files.read_rgb(os.path.join(samples, f"{name}.jpg")), (768, 512))
    for kind in ("photos", "other_photos"):
      image_files.write_rgb(str(folder / kind / f"{name}.png"), image)
    cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)
    for suffix in ("png", "jpg"):
      image_files.write_rgb(str(folder / f"photo.{suffix}"), image)
  cv2.imwrite(str(folder / "mask.png"), mask)
  return folder


@functools.cache
def _flags_by_command():
  return {name: set(command.load()[1]) for name, command in COMMANDS.items()}


_OUTPUTS = ("-o", "--output", "--output_dir", "--work_dir")


def _parse(words):
  """Reads a command's flags without running it; raises absl's error for one that does not exist."""
  _, values = COMMANDS[words[1]].load()
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(documents.ROOT)  # Flagfiles are there.
    values(words[1:])


def _run(words):
  """Runs a command of the documents, in this process."""
  program, *arguments = words
  if program == "z2i":
    if arguments[0] in _SERVERS or arguments[0].startswith("beam-") and not _HAS_BEAM:
      _parse(words)
    else:
      assert main([short for argument in arguments for short in _SMALLER.get(argument, (argument,))]) == 0, words
      for argument in " ".join(arguments).replace("-o ", "-o=").split():
        flag, _, path = argument.partition("=")
        assert flag not in _OUTPUTS or os.path.exists(path), words
      if arguments[0] == "report":
        assert os.path.isfile(os.path.join("runs", "report", "report.html"))
  elif program == "make":
    with open(os.path.join(documents.ROOT, "Makefile"), encoding="utf-8") as file:
      assert re.search(rf"^{arguments[0]}:", file.read(), re.MULTILINE), words
  elif program == "mkdir":
    os.makedirs(arguments[-1], exist_ok=True)
  elif program == "pip":
    assert arguments[0] == "install" and arguments[-1].startswith(".")
  elif program == "python":
    assert os.path.isfile(os.path.join(documents.ROOT, arguments[0])), words
  else:
    assert words == [".", ".venv/bin/activate"], f"The test does not know how to run {words}"


@pytest.mark.parametrize("path", _PAGES)
def test_commands_and_code_run(path, folder, monkeypatch, capsys):
  monkeypatch.chdir(folder)
  names = {}
  for block in documents.blocks(path):
    assert block.language in _LANGUAGES, f"{block}: {block.language!r}"
    if block.reason is None and block.language == "python":
      exec(compile("\n" * (block.line - 1) + block.code, path, "exec"), names)
    elif block.reason is None and block.language == "sh":
      for words in block.commands():
        _run(words)
    elif block.language == "sh":
      for words in block.commands():
        if words[0] == "z2i":
          _parse(words)
  del capsys


@pytest.mark.parametrize("path", _PAGES)
def test_flags_exist(path):
  known = set().union(*_flags_by_command().values(), _OTHER_FLAGS)
  benchmarks = "".join(documents.text(file) for file in glob.glob("benchmarks/*.py", root_dir=documents.ROOT))
  for code in re.findall(r"`([^`\n]+)`", documents.prose(path)):
    for name, is_prefix in re.findall(r"--([a-z][\w-]*)(\*)?", code):
      if "benchmarks/" in code:
        assert f'"--{name}"' in benchmarks, code
      elif is_prefix:
        assert any(flag.startswith(name) for flag in known), code
      else:
        assert name in known, code


def _anchors(path):
  anchors = set()
  for title, identifier in _HEADING.findall(documents.prose(path)):
    plain = re.sub(r"[^\w\- ]", "", title.lower())
    anchors.add(identifier or plain.strip().replace(" ", "-"))
  return anchors


@pytest.mark.parametrize("path", _PAGES)
def test_links_and_pictures_exist(path):
  for target in _LINK.findall(documents.prose(path)):
    if target.startswith(("https://", "http://")):
      continue
    name, _, anchor = target.partition("#")
    linked = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    assert os.path.isfile(os.path.join(documents.ROOT, linked)), f"{path}: {target}"
    assert not anchor or anchor in _anchors(linked), f"{path}: {target}"


def test_files_named_in_workspace_exist():
  made = {"demo_output/", "fuzz_findings/", "site/"}  # By make.
  names = set(re.findall(r"`([\w./]+(?:\.py|\.md|\.yml|/))`", documents.prose("WORKSPACE.md"))) - made
  assert len(names) > 20
  for name in names:
    assert any(os.path.exists(os.path.join(documents.ROOT, folder, name)) for folder in ("", "z2i_tf")), name


@pytest.mark.parametrize("path", _MAX_LINES)
def test_length(path):
  assert len(documents.text(path).splitlines()) <= _MAX_LINES[path]


def test_no_merge_is_unfinished():
  if not os.path.exists(os.path.join(documents.ROOT, ".git")):
    pytest.skip("not a clone: git knows which files are the project's")
  pattern = "^(<{7} |>{7} )"  # What git leaves of a conflict.
  command = ["git", "grep", "-I", "-n", "-E", "-e", pattern]
  done = subprocess.run(command, cwd=documents.ROOT, capture_output=True, text=True, check=False)
  assert done.returncode == 1 and not done.stderr, done.stdout + done.stderr  # 1: no line was found.


def test_tree_names_every_package():
  (tree,) = [block.code for block in documents.blocks("WORKSPACE.md") if block.code.startswith("z2i_tf/")]
  named = set(re.findall(r"^ +(\w+)/ ", tree, re.MULTILINE))
  package = os.path.join(documents.ROOT, "z2i_tf")
  folders = {
    os.path.relpath(os.path.dirname(file), package) for file in glob.glob(f"{package}/**/*.py", recursive=True)
  }
  assert named == {os.path.basename(folder) for folder in folders - {"."}}


def test_table_of_imports_is_that_of_the_test():
  told = {}
  for packages, imports in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", documents.text("WORKSPACE.md"), re.MULTILINE):
    names = {"everything": {"*"}, "nothing else": set()}.get(imports, set(re.findall(r"`(\w+)`", imports)))
    told.update(dict.fromkeys(re.findall(r"`(\w+)`", packages), names))
  allowed = test_import_direction._ALLOWED
  skipped = test_import_direction._OPEN | {"__init__", "__main__"}
  assert told == {package: names for package, names in allowed.items() if package not in skipped}


def test_architecture_is_drawn_from_the_code():
  path = os.path.join(documents.ROOT, "docs", "draw_architecture.py")
  spec = importlib.util.spec_from_file_location("draw_architecture", path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  assert documents.text("docs/images/architecture.svg") == module.draw()


def test_site_is_built_and_loads_nothing_from_elsewhere(tmp_path):
  site = tmp_path / "site"
  done = subprocess.run(
    [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)],
    cwd=documents.ROOT,
    env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": documents.ROOT},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  pages = {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}
  for name, html in pages.items():
    loaded = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="([^"]+)"', html)
    loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect|icon)"[^>]*href="([^"]+)"', html)
    assert loaded and not [url for url in loaded if url.startswith(("http", "//"))], name
  for name in set(z2i_tf.__all__) - {"keras"}:
    assert re.search(rf'doc-heading">\s*z2i_tf\.{name}\s', pages["api.html"]), name
  assert all(f'id="{command}"' in pages["commands.html"] for command in COMMANDS)
  shutil.rmtree(site)
