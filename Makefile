# Works with any environment that has `pip install ".[standard,dev]"`: make test PYTHON=.venv/bin/python
PYTHON ?= python3
TTS_VENV ?= .venv-tts
LECTURES = $(foreach week,1 2 3,library/week$(week)/starlight.mp4)

.PHONY: lint format test test-tts sample library

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test:
	$(PYTHON) -m pytest -n 2

# coqui-tts with models of random weights, in an environment of its own (5.5 GB): it needs a torchaudio and a
# torchcodec that fit its torch, which the newest of each do not always.
test-tts: $(TTS_VENV)/f2f-ready
	$(TTS_VENV)/bin/python -m pytest -m tts tests/f2f/engines

$(TTS_VENV)/f2f-ready: pyproject.toml
	$(PYTHON) -m venv $(TTS_VENV)
	$(TTS_VENV)/bin/pip install -q torch==2.11.0 torchaudio==2.11.0 "torchcodec==0.11.*" ".[standard,tts]" pytest \
		pytest-timeout hypothesis
	touch $@

sample:
	$(PYTHON) -m f2f sample lecture.mp4
	$(PYTHON) -m f2f translate lecture.mp4 --to hi

# Given again, it finds all three done.
library: $(LECTURES)
	$(PYTHON) -m f2f batch library --to hi

$(LECTURES):
	mkdir -p $(@D)
	$(PYTHON) -m f2f sample $@
