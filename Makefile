# From a bare machine with Python 3.11: `make demo` and `make test` each install everything they need into .venv.
#
#   make PYTHON=/path/to/python3.11 ...   name the Python to use
#   make SOAK_MINUTES=600 soak            how long a service is killed and loaded
#   make NEED_GIB=12 ...                  the free disk space to ask for: 6 GiB are for torch's CPU build, the CUDA build needs twice that

.DEFAULT_GOAL := help
.PHONY: help install demo test lint soak benchmark clean

NEED_GIB ?= 6
SOAK_MINUTES ?= 30
BIN := .venv/bin
STAMP := .venv/.installed

# The first of these that runs and is 3.11; if none is, the first that runs, for the message. A name alone proves nothing: it may be a shim.
IS_311 := import sys; sys.exit(sys.version_info[:2] != (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3 python; do $$p -c '$(IS_311)' 2>/dev/null && echo $$p && exit; done; \
                  for p in python3 python; do $$p -c '' 2>/dev/null && echo $$p && exit; done)
endif
found = $(shell $(PYTHON) -c 'import platform, sys; print("Python", platform.python_version(), "at", sys.executable)' 2>/dev/null)
free_gib = $(shell df -Pk . | awk 'NR == 2 { print int($$4 / 1048576) }')

# Each of these says in one line what is wrong and what to do, or nothing.
wrong_python = $(if $(PYTHON),$(if $(shell $(PYTHON) -c '$(IS_311)' 2>/dev/null && echo ok),,Python 3.11 is needed \
  (training with RecBole works with no other), found $(or $(found),no Python at $(PYTHON)): \
  install it (Debian 12: apt-get install python3.11 python3.11-venv) or name one: make PYTHON=/path/to/python3.11),Python 3.11 is needed, \
  found none: install it (Debian 12: apt-get install python3.11 python3.11-venv) or name one: make PYTHON=/path/to/python3.11)
no_venv = $(if $(shell $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null && echo ok),,$(found) cannot make a virtual environment: \
  install its venv package (Debian: apt-get install python3.11-venv))
no_space = $(if $(wildcard $(STAMP)),,$(if $(shell [ "$(free_gib)" -ge "$(NEED_GIB)" ] && echo ok),,only $(free_gib) GiB are free in $(CURDIR), \
  $(NEED_GIB) GiB are needed: free some, or move the project to a larger disk))
problem = $(or $(wrong_python),$(no_venv),$(no_space))

help:
	@echo 'make demo       a small model, from nothing to a recommendation that listens'
	@echo 'make test       ruff, mypy and pytest'
	@echo 'make lint       ruff and mypy alone'
	@echo 'make soak       a service is killed and loaded for $(SOAK_MINUTES) minutes: nothing may be lost'
	@echo 'make benchmark  the tables of the README on ml-100k (long)'
	@echo 'make install    the environment alone, in .venv'
	@echo 'make clean      remove .venv, caches and build output; what was trained stays'

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(if $(problem),$(error $(strip $(problem))))
	@$(BIN)/python -c 'import pip; $(IS_311)' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -c constraints.txt -e '.[train,dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/recbole-llmfb demo

benchmark: $(STAMP)
	$(BIN)/recbole-llmfb benchmark configs/benchmark-ml-100k.yaml

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

# Two processes, each with whole files of tests in their order; one thread each, or they would wait for each other.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: $(STAMP)
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/pytest -m soak tests/serving/service/test_soak.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
