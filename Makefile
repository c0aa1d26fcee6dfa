# Everything runs in .venv, which each target makes by itself where it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test check format lint types contracts bench bench-audit bench-audit-growth bench-live bench-reading soak scoreboard fuzz mutation clean

demo: $(READY)
	@$(BIN)/canary demo

test: $(READY)
	$(PYTEST) -n 2 --dist loadscope

check: $(READY) lint types contracts test

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m bench
	$(BIN)/python -m bench.targeted
	$(BIN)/python -m bench.audit

bench-reading: $(READY)
	$(BIN)/python -m bench.targeted

bench-audit: $(READY)
	$(BIN)/python -m bench.audit

bench-audit-growth: $(READY)
	$(BIN)/python -m bench.audit --growth

bench-live: $(READY)
	$(BIN)/python -m bench.live

soak: $(READY)
	$(BIN)/python -m bench.soak

scoreboard: $(READY)
	$(BIN)/python -m tests.scoreboard

fuzz: $(READY)
	CANARY_FUZZ=20000 $(PYTEST) --timeout 0 tests/fuzz

mutation: $(READY)
	$(BIN)/python -m tests.mutation

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		--constraint constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary --no-build-isolation \
		--constraint constraints.txt --editable '.[sandbox,dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
