# Works with any environment that has `pip install ".[standard,dev]"`: make test PYTHON=.venv/bin/python
PYTHON ?= python3

.PHONY: lint format test sample

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -c "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test:
	$(PYTHON) -m pytest

sample:
	$(PYTHON) -m f2f sample lecture.mp4
	$(PYTHON) -m f2f translate lecture.mp4 --to hi
