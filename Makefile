# Endwatch: everything a person or CI runs. Needs Python >= 3.11 and make, nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
PYTHON ?= python3
VENV := $(ROOT).venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help run test check bench drill migration lock

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# Two stamps: what the service needs, and what its tests need beside that.
$(VENV)/.runs: $(ROOT)requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Endwatch needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Endwatch needs (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(ROOT)requirements.lock
	@touch $@

$(VENV)/.tests: $(VENV)/.runs $(ROOT)tests/requirements.lock
	@echo "Installing what its tests need (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(ROOT)tests/requirements.lock
	@touch $@

run: $(VENV)/.runs ## Start everything on this machine and load the samples on the first run
	@cd $(ROOT) && exec $(BIN)/python -m app.cli serve $(ARGS)

test: $(VENV)/.tests ## Run the whole test suite on a real PostgreSQL
	@cd $(ROOT) && $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/.tests ## Lint, types, import contracts, coverage of monitors and rules
	@cd $(ROOT) && $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	@cd $(ROOT) && $(BIN)/coverage run --branch --include='monitors/*.py,app/*/rules.py' -m pytest tests/monitors tests/rules tests/obligations/test_rules.py tests/audits/test_life.py tests/audits/test_closing.py tests/audits/test_visits.py && \
	$(BIN)/coverage report --fail-under=100 --skip-covered

bench: $(VENV)/.tests ## Measure the figures of docs/benchmarks.md on this machine
	@cd $(ROOT) && $(BIN)/python -m benchmarks $(ARGS)

drill: $(VENV)/.tests ## Kill, fill and cut the service, and see that nothing is lost
	@cd $(ROOT) && $(BIN)/python -m benchmarks.drills $(ARGS)

migration: $(VENV)/.tests ## Write a new migration from the models: make migration m="what changes"
	@cd $(ROOT) && $(BIN)/alembic revision --autogenerate -m "$(m)"

lock: $(VENV)/.tests ## Pin the newest fitting dependencies by hash
	@cd $(ROOT) && $(BIN)/python -m pip install --quiet uv && \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml -o requirements.lock && \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group dev -c requirements.lock pyproject.toml -o tests/requirements.lock
