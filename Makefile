.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

protos: ## generate the stubs of quantmesh.api
	$(BIN)/python scripts/generate_stubs.py
