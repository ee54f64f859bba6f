# Set-up, build and checks of the whole project. `make help` lists the targets.
#
# Every step of the set-up leaves a stamp inside .venv (or operator_ui/node_modules), so a second
# call does only what has changed, and removing either folder starts that part afresh.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON := .venv/bin/python
STAMPS := .venv/stamps
PYTEST_ARGS ?=

# The stamp `node` holds the folder of the Node that was chosen.
NPM = PATH="$$(cat $(STAMPS)/node):$$PATH" npm --prefix operator_ui

# Render without a display.
export MUJOCO_GL ?= egl

UI := $(wildcard operator_ui/package.json)
UI_BUILT := operator_ui/node_modules/.built
# One changed source is enough. (Their names may hold characters that make would read as its own.)
UI_STALE := $(if $(UI),$(shell find operator_ui -type f -newer $(UI_BUILT) \
	-not -path '*/node_modules/*' -not -path '*/test-results/*' -not -path '*/coverage/*' \
	-not -name '*.tsbuildinfo' 2>/dev/null | head -n 1))
UI_MISSING := $(if $(wildcard robot_rl/server/console/index.html),,missing)
UI_STAMPS := $(if $(UI),$(UI_BUILT))

.PHONY: help setup demo test check coverage mutation ui docs lock clean \
	lint types imports tests safety-coverage ui-check install force

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) \
		| awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

# --- Set-up -----------------------------------------------------------------------------------

setup: install $(STAMPS)/browser $(STAMPS)/s3 ## Prepare this machine: Python, libraries, Node, console, browser

install: $(STAMPS)/system $(STAMPS)/python $(UI_STAMPS)

$(STAMPS)/python: requirements.lock pyproject.toml .python-version deploy/setup-python.sh
	sh deploy/setup-python.sh
	@mkdir -p $(@D) && touch $@

# The system's libraries come first: one of the Python packages is compiled. The order-only
# prerequisite makes .venv before its stamps are written into it.
$(STAMPS)/system: deploy/setup-system.sh | .venv
	sh deploy/setup-system.sh runtime $@

$(STAMPS)/s3: deploy/setup-s3-server.sh deploy/s3-server.lock $(STAMPS)/python
	sh deploy/setup-s3-server.sh
	@mkdir -p $(@D) && touch $@

$(STAMPS)/browser: deploy/setup-system.sh | .venv
	sh deploy/setup-system.sh browser $@

$(STAMPS)/python: | $(STAMPS)/system

.venv:
	sh deploy/setup-python.sh venv

$(STAMPS)/node: deploy/setup-node.sh $(STAMPS)/python
	sh deploy/setup-node.sh $@

operator_ui/node_modules/.installed: operator_ui/package.json operator_ui/package-lock.json $(STAMPS)/node
	$(NPM) ci --no-audit --no-fund
	@touch $@

$(UI_BUILT): operator_ui/node_modules/.installed $(if $(UI_STALE)$(UI_MISSING),force)
	$(NPM) run build
	@touch $@

force:

ui: $(UI_STAMPS) ## Build the console
	@$(if $(UI),:,echo "There is no operator_ui/ to build.")

lock: $(STAMPS)/python ## Pin the dependencies of pyproject.toml anew
	sh deploy/setup-python.sh lock

docs: install ## Write the tables of docs/ that come from the code
	@$(PYTHON) docs/tables.py

# --- Use --------------------------------------------------------------------------------------

demo: install ## Set up, then run everything on this machine in simulation
	@.venv/bin/robot-rl demo

# --- Checks -----------------------------------------------------------------------------------

# What keeps one core busy and needs no quiet machine; each part's output stands together.
SIDE_BY_SIDE = $(MAKE) --no-print-directory --keep-going --jobs 2 --output-sync=target

test: setup ## Set up, then run every check and test once
	@$(SIDE_BY_SIDE) lint types imports; first=$$?; \
	$(MAKE) --no-print-directory tests; second=$$?; \
	$(SIDE_BY_SIDE) safety-coverage ui-check; exit $$((first | second | $$?))

check: install $(STAMPS)/s3 ## The quick checks: no browser, no slow tests
	@$(MAKE) --no-print-directory --keep-going lint types imports
	$(PYTHON) -m pytest $(TWO) -m "not ($(HEAVY))" $(PYTEST_ARGS)

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m pyright

imports:
	.venv/bin/lint-imports

# Whole systems on the clock of the wall come alone; what runs on virtual time or none is marked
# `beside`, and a browser waits for what it looks at.
HEAVY = slow or browser or fault
TWO = -n 2 --dist loadfile --no-loadscope-reorder
BESIDE = beside or (browser and not slow and not fault)

tests:
	@$(PYTHON) -m pytest $(TWO) -m "$(BESIDE) or not ($(HEAVY))" $(PYTEST_ARGS); two=$$?; \
	[ $$two -ne 2 ] || exit 2; \
	$(PYTHON) -m pytest -m "($(HEAVY)) and not ($(BESIDE))" $(PYTEST_ARGS); one=$$?; \
	[ $$two -ne 5 ] || exit $$one; [ $$one -ne 5 ] || exit $$two; exit $$((two | one))  # 5: it had none

coverage: install safety-coverage ## That tests/safety reaches every branch of safety/

# Interpreted, because coverage cannot look into compiled code; `tests` runs it compiled.
safety-coverage:
	NUMBA_DISABLE_JIT=1 $(PYTHON) -m coverage run --source=safety -m pytest -q -n 2 tests/safety
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report --show-missing --skip-covered --fail-under=100

mutation: install ## Break safety/ in one place at a time; MUTATION_SAMPLE=200: a sample
	$(PYTHON) tests/mutants.py $(if $(MUTATION_SAMPLE),--sample $(MUTATION_SAMPLE))

ui-check: $(UI_STAMPS)
ifneq ($(UI),)
	$(NPM) run typecheck
	$(NPM) run lint --if-present
	$(NPM) run test
endif

clean: ## Remove what the set-up and the build made
	rm -rf .venv operator_ui/node_modules operator_ui/dist robot_rl/server/console build dist *.egg-info \
		.pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
