# Two commands matter: "make demo" and "make test". Both install what they need into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test bench lint format screenshots contracts requirements clean

# The virtual environment first, so that generated projects find its uv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Projects run as on their owners' machines, where Python keeps what it has compiled; without, each start takes twice
# as long.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# Two modules of tests at a time, the longest first, each as a whole: its tests share what it starts.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready ## generate a project, run it, break it, show both errors; ARGS=--once ends after that
	@.venv/bin/python -m harness.demo $(ARGS)

test: .venv/.ready ## run the whole test suite; ARGS="tests/test_update.py -k name" narrows it, ARGS=--numprocesses=0 runs one at a time
	.venv/bin/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

bench: .venv/.ready ## measure and print one table; ARGS=backend narrows it to a part
	@.venv/bin/python -m benchmarks $(ARGS)

lint: .venv/.ready ## check the code of this repository (not of the template)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/.ready ## rewrite the code of this repository in the common style
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

screenshots: .venv/.ready ## take the pictures of README.md anew
	.venv/bin/python -m harness.screenshots

contracts: .venv/.ready ## write the parts of the API contract that extensions bring anew
	@.venv/bin/python -m harness.contracts

requirements: .venv/.ready ## write requirements.txt anew from pyproject.toml, with hashes
	.venv/bin/uv pip compile pyproject.toml --universal --generate-hashes --no-header --upgrade --output-file requirements.txt

clean: ## delete what was installed or generated
	rm -rf .venv .cache demo .mypy_cache .pytest_cache .ruff_cache

.venv/.ready: requirements.txt
	@python3 harness/preflight.py
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	@touch $@
