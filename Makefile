# Every target does the set-up it needs; only Python >= 3.11 and make are assumed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup demo test test-all lint bench screenshots clean

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt hatch_build.py evalsuite/similarity/kernel.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "welltempered needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade "pip>=25.1"
	@# torch first and pinned, so that no other package pulls a larger build of it
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable . --group dev
	@touch .venv/.installed

demo: setup
	$(BIN)/temper demo demo

test: setup
	@# worksteal: neighbouring tests stay in one process, which makes models and fixtures once
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-all: setup
	@# large (spaCy), so only here; without it the tests that need it are skipped
	$(PIP) install --quiet --constraint constraints.txt --editable ".[pii]"
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(PIP) install --quiet --constraint constraints.txt ".[bench]"
	$(BIN)/python bench/lm_eval_agreement.py

screenshots: setup
	@# of the demo's workspace where there is one, else of one that is written for it
	$(BIN)/python -P docs/screenshot.py $(if $(wildcard demo/runs),demo)

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache
