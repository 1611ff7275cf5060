# make demo   inpaint the sample photographs with the bundled model, into demo_output/
# make test   run the tests
# make fuzz   read N=100000 damaged files of every kind (SEED=0); what breaks a rule ends in fuzz_findings/
# All set up .venv first; a second run does not install again.

PYTHON ?= $(firstword $(foreach version,3.11 3.10 3.9,$(shell command -v python$(version))) python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test fuzz clean

demo: $(VENV)/.installed
	$(BIN)/z2i demo --output_dir=demo_output

test: $(VENV)/.installed
	$(BIN)/python -m pytest -rs -n 2 --dist loadfile --no-loadscope-reorder tests

N ?= 100000
SEED ?= 0
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz --count=$(N) --seed=$(SEED)

# opencv-python needs libGL; on a machine without it, its headless twin of the same version replaces it.
$(VENV)/.installed: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt 'setuptools<81' wheel
	$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[test]"
	$(BIN)/python -c "import cv2" 2>/dev/null || \
	  $(BIN)/pip install --quiet --constraint constraints.txt --force-reinstall --no-deps opencv-python-headless
	touch $@

clean:
	rm -rf $(VENV) build dist demo_output *.egg-info
