"""Runs the documents' example of fine-tuning, and the notebook of the same, on less data."""

import os
import re
import shutil

from nbclient import NotebookClient
import nbformat
import numpy as np
import pytest

from tests import documents
import z2i_tf

# The same with less to compute.
_SMALLER = (
  ("crop_size=128", "crop_size=32"),
  ("batch_size=4", "batch_size=2"),
  ("epochs=5", "epochs=1"),
  ("steps_per_epoch=100", "steps_per_epoch=1"),
  ("freeze_batch_norm=True)", "freeze_batch_norm=True, run_eagerly=True)"),
)


def _example():
  (block,) = [block.code for block in documents.blocks("docs/python.md") if "model.fit(" in block.code]
  return block.strip()


def _notebook():
  return nbformat.read(os.path.join(documents.ROOT, "docs", "fine_tune.ipynb"), as_version=4)


def _smaller(code):
  for long, short in _SMALLER:
    code = code.replace(long, short)
  return code


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
  """The current folder, with what the example reads."""
  for folder in ("photos", "other_photos"):
    (tmp_path / folder).mkdir()
    shutil.copy(os.path.join(documents.ROOT, "data", "images", "coffee.jpg"), tmp_path / folder)
  shutil.copy(os.path.join(documents.ROOT, "data", "images", "coffee.jpg"), tmp_path / "photo.jpg")
  shutil.copy(os.path.join(documents.ROOT, "data", "masks", "coffee.png"), tmp_path / "mask.png")
  monkeypatch.chdir(tmp_path)
  return tmp_path


def test_the_example_has_at_most_thirty_lines_that_can_be_made_smaller():
  code = _smaller(_example())
  assert all(short in code for _, short in _SMALLER) and len(code.splitlines()) <= 30


@pytest.mark.slow
def test_the_notebook_has_the_example_s_code_and_runs(folder):
  """The documents' example is the code of the notebook, so one run proves both."""
  notebook = _notebook()
  cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
  assert "\n\n".join(cell.source for cell in cells) == _example() and not any(cell.outputs for cell in cells)
  for cell in cells:
    cell.source = _smaller(cell.source)
  notebook.cells.append(nbformat.v4.new_code_cell("print('filled is', filled.dtype)"))
  NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
  printed = "".join(
    output.text for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "text" in output
  )
  assert re.search(r"PSNR over the hole: \d+\.\d\d dB before, \d+\.\d\d dB after", printed)
  assert "filled is uint8" in printed
  assert (folder / "fine_tuned.keras").is_file()
  before, after = (z2i_tf.load_model(name).get_weights() for name in ("compact", folder / "fine_tuned"))
  differences = [float(np.abs(new - old).max()) for old, new in zip(before, after)]
  assert 0.0 < max(differences) < 1e-3  # One step of Adam at a rate of 1e-5.
