# Everything a newcomer types. `make help` lists it. Needs Python 3.11 or newer with venv, and make.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
BIN := .venv/bin
ARGS ?=
WORKERS ?= 3

# Where the caller forbids bytecode, every start compiles everything again: two to three times slower.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run setup test check bench soak format lock clean prepare-test browser

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PORT=8080 DATABASE_URL=postgresql://… make run    another port, another database"
	@echo "  make test ARGS='tests/engine -k timer'            a part of the tests"

run: ## start Lockstep with its demo plant on the first free port from 8000
	@$(PYTHON) tools/prepare.py run
	@$(BIN)/lockstep serve --demo $(ARGS)

setup: ## prepare everything without starting anything
	@$(PYTHON) tools/prepare.py run
	@$(BIN)/lockstep demo --if-empty

test: prepare-test browser ## run every test: SQLite, a real PostgreSQL, a real browser
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: prepare-test ## format, lint, types, import law, templates, security, diagrams and tables
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint webapp/templates --lint --quiet
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml dmn engine records processes webapp migrations
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml --skip B101,B105,B608 rules  # triggers take no parameters
	$(BIN)/lockstep check processes/bpmn rules/tables
	$(BIN)/python tools/part11.py --check
	$(BIN)/python -m tools.bpmn_support --check

bench: prepare-test ## measure completions against the naive way and the raw commit floor, and the inbox at 10,000 tasks
	@$(BIN)/python -m benchmarks.complete_task $(ARGS)
	@$(BIN)/python -m benchmarks.inbox $(ARGS)

soak: prepare-test ## 2,000 runs on two web nodes and three workers that are killed all the while (ARGS='--times 10')
	@$(BIN)/python -m tests.machines.under_fire $(ARGS)

format: prepare-test ## bring the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: prepare-test ## resolve the dependencies of pyproject.toml and package.json again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	npm install --package-lock-only

clean: ## remove what can be made again; the demo database stays in var/
	rm -rf .venv node_modules webapp/static/dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

prepare-test:
	@$(PYTHON) tools/prepare.py test

browser:
	@$(PYTHON) tools/prepare.py browser
