# Two commands: `make up` and `make test`. Both prepare what they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CODE := contracts runtime sinks ingest identity router desk frontdesk

.DEFAULT_GOAL := help
.PHONY: help setup up test lint bench soak lock clean packages

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp carries the lock's hash: nothing happens while the lock stays the same.
STAMP := $(VENV)/.installed-$(shell cat requirements-dev.txt pyproject.toml | sha256sum | cut -c1-16)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-* && touch $@

setup: $(STAMP) ## create the environment from the lock

up: setup ## run the whole system on embedded Kafka and Postgres
	@exec $(BIN)/frontdesk up

packages:
	@tests/install-servers dovecot:dovecot-imapd promtool:prometheus chromium:chromium

lint: setup ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: packages lint ## everything: linters and all tests, on real servers
	@$(BIN)/python -m pytest

bench: setup packages ## one JSON line a figure
	@$(BIN)/python -m tests.bench

soak: packages setup ## the long runs of the fault tests, the whole population, 100,000 attackers
	@SOAK=1 $(BIN)/python -m pytest --timeout=0 tests/faults tests/laws

lock: ## renew the locks from pyproject.toml (needs uv)
	uv pip compile -q --generate-hashes --python-version 3.11 --universal --no-annotate --no-header --extra mail --extra s3 pyproject.toml -o requirements.txt
	uv pip compile -q --generate-hashes --python-version 3.11 --universal --no-annotate --no-header --extra mail --extra s3 pyproject.toml requirements-dev.in -o requirements-dev.txt

clean: ## remove the environment and the local data
	rm -rf $(VENV) .frontdesk .pytest_cache .mypy_cache .ruff_cache
