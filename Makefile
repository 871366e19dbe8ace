# One page of what can be done here. Each goal first brings the setup up to date, which takes a moment when it is.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# Modules are compiled once and not at every start.
unexport PYTHONDONTWRITEBYTECODE

# The distribution's Python where it has a fitting one: distributions build it with profile-guided optimisation. One that
# was compiled without, as by pyenv, takes up to twice as long for the same work.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
# The stamps live in what they speak of: removing .venv or node_modules undoes them.
PACKAGES := $(VENV)/.packages
STUBS := $(VENV)/.stubs
KERNELS := $(VENV)/.kernels
NODE := node_modules/.package-lock.json
# What proves the charts needs other versions than the services do.
OPS := .venv-ops
OPS_PACKAGES := $(OPS)/.packages
CHART_TESTS := deploy/k8s/tests
PROJECTS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
PROTOS := $(shell find protos -name '*.proto')
SOURCES := libs services scripts tests benchmarks deploy conftest.py
s ?=
first ?= 60
seeds ?= 500
env ?= dev
color ?= blue
tag ?=

.PHONY: help setup demo up down status logs clean test mutants soak previous check charts format bench images demo-containers protos baseline contracts lock dashboards deploy promote

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

demo: setup ## start the mesh and run the main job on real prices
	@$(BIN)/python -m quantmesh.local up
	@$(BIN)/quantmesh demo --alter "$(BIN)/python -m quantmesh.local alter"

up: setup ## start the mesh in the background; returns when all is ready
	@$(BIN)/python -m quantmesh.local up

down: setup ## stop the mesh; its data stays
	@$(BIN)/python -m quantmesh.local down

status: setup ## each part: state, address, memory, restarts
	@$(BIN)/python -m quantmesh.local status

logs: setup ## the end of each log, or one of them: make logs s=pricing
	@$(BIN)/python -m quantmesh.local logs $(s) $(if $(MAKE_TERMOUT),$(if $(s),--follow))

clean: ## stop the mesh and remove its data and everything that was installed or generated
	@if [ -x $(BIN)/python ] && [ -d "$${QUANTMESH_STATE_FOLDER:-.quantmesh}" ]; then $(BIN)/python -m quantmesh.local clean; fi
	rm -rf .quantmesh $(VENV) $(OPS) .venv-bench node_modules contracts/out contracts/cache libs/api/src/quantmesh/api/*/
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find libs services scripts tests -name __pycache__ -prune -exec rm -rf {} +

test: setup ## every test, on real servers of its own
	@npm run --silent contracts:test
	$(BIN)/pytest -n 2 --dist loadgroup

mutants: setup ## take each protection out by a patch and demand that its test fails; some: make mutants s="breaker bulkhead"
	$(BIN)/python scripts/mutants.py $(s)

soak: setup ## seeds of the simulator beyond those of make test; each night: make soak seeds=10000
	$(BIN)/python -m tests.simulator --first $(first) --seeds $(seeds)

previous: setup ## the code of the commit before (or revision=...) on today's schemas
	$(BIN)/python scripts/check_previous_code.py $(revision)

check: setup ## formatting, lint, types, import rules, protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(wildcard $(SOURCES))
	PYTHONPATH=scripts $(BIN)/lint-imports
	$(BIN)/python scripts/check_dependencies.py
	$(BIN)/python scripts/check_services_alone.py
	$(BIN)/buf lint protos
	$(BIN)/buf breaking protos --against protos/image.binpb
	npm run --silent contracts:check
	@$(MAKE) --no-print-directory charts

charts: setup $(OPS_PACKAGES) ## lint and render the charts and prove what they make
	$(BIN)/python scripts/declare_graph.py --check
	$(BIN)/python scripts/chart_schemas.py --check
	$(BIN)/mypy --python-executable $(OPS)/bin/python $(wildcard $(CHART_TESTS)/*.py)
	$(OPS)/bin/pytest $(CHART_TESTS)

format: setup ## rewrite the sources as `make check` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## every figure of the README, as ratios to a peer measured in the same run
	$(BIN)/python benchmarks/run.py

protos: $(PACKAGES) ## generate the stubs of quantmesh.api
	$(BIN)/python scripts/generate_stubs.py
	@touch $(STUBS)

deploy: ## install a colour on the cluster of kubectl: make deploy env=prod tag=1.4.0; beside the running one: color=green
	@$(PYTHON) scripts/deployment.py deploy --environment $(env) --color $(color) --tag "$(tag)"

promote: ## bring users to a colour and let its consumers work; going back is promoting the other: make promote color=green
	@$(PYTHON) scripts/deployment.py promote --environment $(env) --color $(color)

images: ## build the image of every service, or of one: make images s=auth
	@$(PYTHON) scripts/images.py $(s)

demo-containers: setup $(OPS_PACKAGES) ## the main job against the images, each under its chart's limits and rights
	@$(BIN)/python scripts/demo_containers.py

dashboards: setup ## write the JSON of Grafana's dashboards anew
	PYTHONPATH=deploy/observability $(BIN)/python -m dashboards

baseline: setup ## record the protos as what later ones must stay compatible with
	$(BIN)/buf build protos --exclude-source-info --output protos/image.binpb

contracts: setup ## compile the contracts and run their tests
	npm run --silent contracts
	npm run --silent contracts:test

lock: $(PACKAGES) ## pin every dependency of every distribution anew
	$(BIN)/python scripts/compile_lock.py

setup: $(STUBS) $(KERNELS) $(NODE)

$(BIN)/uv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or later (apt-get install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: name a later one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv is missing: install it (apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)"

$(PACKAGES): $(BIN)/uv requirements.lock $(PROJECTS)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(foreach project,$(PROJECTS),--editable $(dir $(project)))
	@touch $@

$(OPS_PACKAGES): $(BIN)/uv $(CHART_TESTS)/requirements.lock
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OPS)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(OPS)/bin/python $(CHART_TESTS)/requirements.lock
	@touch $@

$(STUBS): $(PACKAGES) $(PROTOS) scripts/generate_stubs.py
	$(BIN)/python scripts/generate_stubs.py
	@touch $@

# Compiled once and kept beside their source: the first batch would wait for it otherwise. Numba looks at the file of a
# kernel alone, not at the formulas that it is made of: after any change all are compiled anew.
$(KERNELS): $(PACKAGES) $(wildcard libs/quant/src/quantmesh/quant/*.py libs/quant/src/quantmesh/quant/*/*.py)
	@find libs/quant/src -name '*.nb[ic]' -delete
	$(BIN)/python -m quantmesh.quant.kernels
	@touch $@

$(NODE): package-lock.json package.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or later with npm (apt-get install nodejs npm)." >&2; exit 1; }
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || { echo "Node is older than 20: install Node 20 or later." >&2; exit 1; }
	npm ci --silent --ignore-scripts
	@touch $@
