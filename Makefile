# make demo          inpaint the sample photographs with the bundled model, into demo_output/
# make test          run the tests, except those marked slow
# make slow          run those: they take longer than 15 seconds each
# make quick         the fast tests of every package, in under a minute on two free cores
# make fuzz          read N=100000 damaged files of every kind (SEED=0); faults are kept in fuzz_findings/
# make smoke         the demo, and the tests of layers and networks
# make lint          check the code with ruff and mypy
# make docs          build the documentation into site/
# make constraints   write constraints/: versions of everything, for each Python; UPGRADE=--upgrade takes the newest
# make clean         remove .venv (or VENV=folder), demo_output/, fuzz_findings/, site/ and caches
# All but clean set up .venv first; a second run does not install again. PYTHON=python3.13 names the Python to set it up
# with, VENV=folder another place.

VENV := .venv
BIN := $(VENV)/bin
VERSIONS := 3.13 3.12 3.11 3.10

# Prints the version of a Python that works and is one of VERSIONS.
CHECK := import ensurepip, sys, venv; v = "%d.%d" % sys.version_info[:2]; v in "$(VERSIONS)".split() and print(v)
ifndef PYTHON
PYTHON := $(shell for p in $(BIN)/python python3 $(VERSIONS:%=python%); do \
  version=$$($$p -c '$(CHECK)' 2>/dev/null) && test -n "$$version" && echo $$p && break; done)
endif
FOUND := $(or $(PYTHON),python3)
VERSION := $(filter $(VERSIONS),$(shell $(FOUND) -c '$(CHECK)' 2>/dev/null))
INSTALLED_VERSION := $(shell $(BIN)/python -c '$(CHECK)' 2>/dev/null)
FOUND_VERSION = $(or $(shell $(FOUND) -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null),no working Python)
CONSTRAINTS := constraints/$(VERSION).txt
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint $(CONSTRAINTS)

.PHONY: demo test slow quick fuzz smoke lint docs constraints clean ANEW

demo: $(VENV)/.installed
	$(BIN)/z2i demo --output_dir=demo_output

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow"

slow: $(VENV)/.installed
	$(BIN)/python -m pytest -n 3 --dist worksteal -m slow

QUICK := tests/test_import_direction.py tests/analyses/test_score_tables.py tests/app/test_shapes.py \
  tests/beam/test_prepare.py tests/cli/test_help.py tests/cli/test_messages.py tests/cli/test_progress.py tests/compat/test_named_weights.py \
  tests/datasets/test_sources.py tests/evaluation tests/export/test_serving_warmup.py tests/images/test_mask_files.py \
  tests/inference/test_pairs.py tests/inference/test_pieces.py tests/inference/test_blending.py \
  tests/layers/test_gated_conv.py tests/losses tests/masks tests/metrics/test_scoring.py tests/metrics/test_statistics.py \
  tests/models/test_complexity.py tests/report/test_runs.py tests/study/test_store.py tests/study/test_summary.py \
  tests/system tests/training/test_diagnostics.py tests/training/test_checkpoints.py tests/web
quick: $(VENV)/.installed
	$(BIN)/python -m pytest -q -n 2 --dist worksteal $(QUICK) --ignore=tests/system/test_quiet_tensorflow.py

smoke: demo
	$(BIN)/python -m pytest tests/layers tests/models

lint: $(VENV)/.installed
	$(PIP_INSTALL) mypy ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

constraints: $(VENV)/.installed
	$(PIP_INSTALL) uv
	for version in $(VERSIONS); do \
	  $(BIN)/uv pip compile --quiet $(UPGRADE) --python-version $$version --extra test --extra development \
	    --no-annotate --custom-compile-command "make constraints" --output-file constraints/$$version.txt setup.py || exit; \
	done

N ?= 100000
SEED ?= 0
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz --count=$(N) --seed=$(SEED)

# opencv-python needs libGL; on a machine without it, its headless twin of the same version replaces it.
$(VENV)/.installed: setup.py pyproject.toml $(wildcard $(CONSTRAINTS)) $(if $(filter $(VERSION),$(INSTALLED_VERSION)),,ANEW)
	$(if $(VERSION),,$(error $(FOUND) is $(FOUND_VERSION), and z2i_tf needs one of Python $(VERSIONS) with its module \
	venv (Debian, Ubuntu: apt-get install python3-venv); install one, or name one as in: make test PYTHON=python3.13))
	@echo "Installing z2i_tf for Python $(VERSION) in $(VENV): TensorFlow \
	$$(sed -n 's/^tensorflow==//p' $(CONSTRAINTS)) and $$(grep -c == $(CONSTRAINTS)) other packages, a few minutes"
	@test "$(VERSION)" = "$(INSTALLED_VERSION)" || \
	  $(FOUND) -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) $(VENV)
	@$(PIP_INSTALL) setuptools wheel
	@$(PIP_INSTALL) --no-build-isolation --editable ".[test]"
	@$(BIN)/python -c "import cv2" 2>/dev/null || $(PIP_INSTALL) --force-reinstall --no-deps \
	  opencv-python-headless==$$(sed -n 's/^opencv-python==//p' $(CONSTRAINTS))
	@touch $@

clean:
	rm -rf $(VENV) build dist demo_output fuzz_findings site .pytest_cache .mypy_cache .ruff_cache *.egg-info
