# Kassa. `make` alone lists the targets.
PYTHON := /usr/bin/python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: help run test torture check bench lock setup setup-test clean

help:
	@echo "make run     set up what is missing, then run a whole lane with virtual devices on this machine"
	@echo "make test    set up what is missing, then run every test"
	@echo "make torture every proof that nothing is lost or doubled, long; ARGS=\"kill power --quick\" for some of it"
	@echo "make check   everything static: format, lint, types, import rule, shell, units"
	@echo "make bench   timings, each as a ratio against a baseline of the same run"
	@echo "make lock    renew requirements/lock.txt from pyproject.toml"
	@echo "make clean   remove the environment; keeps .kassa, where the lane's journal is"

setup: .venv/.ready node_modules/.ready

# A marker is written last, so that an interrupted set-up is done again.
.venv/.ready: requirements/lock.txt requirements/build-constraints.txt requirements/apt.txt pyproject.toml
	@requirements/system
	@echo "setup: environment in .venv (about a minute the first time)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv --system-site-packages .venv
	@sed -n '/^uv==/,/^[a-z]/p' requirements/lock.txt | sed '$$d' > .venv/uv.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --build-constraints requirements/build-constraints.txt requirements/lock.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.ready: package.json package-lock.json .npmrc
	@requirements/system
	@echo "setup: page library from the npm lock" >&2
	@npm ci --silent --no-audit --no-fund --ignore-scripts
	@mkdir -p kiosk/web/static/vendor
	@cp node_modules/idiomorph/dist/idiomorph.min.js kiosk/web/static/vendor/
	@touch $@

run: setup
	@$(BIN)/python -m provisioning.desk $(ARGS)

setup-test: setup
	@requirements/system apt-test.txt

test: setup-test
	@$(BIN)/python -m pytest $(ARGS)

torture: setup-test
	@$(BIN)/python -m tests.torture $(ARGS)

bench: setup-test
	@$(BIN)/python -m tests.bench $(ARGS)

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@shellcheck requirements/system .ci/run
	@$(BIN)/python -m tests.check_units

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements/lock.txt

clean:
	rm -rf .venv node_modules kiosk/web/static/vendor build
