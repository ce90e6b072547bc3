# Every target works on a bare machine with python3.11, gcc and a package index: the stamp below makes the environment.
PYTHON  ?= python3.11
WORKERS ?= 2
EMLP_LIMIT ?= 120
FUZZ_SECONDS ?= 600
MUTANTS ?= 320
VENV    := .venv
BIN     := $(VENV)/bin

# One thread a process: the tests are many small problems, and pytest runs WORKERS processes.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

EXTRAS_test  := torch,jax,plot,cluster,test
EXTRAS_check := $(EXTRAS_test),docs,dev
TEST  := $(VENV)/.stamp-test
CHECK := $(VENV)/.stamp-check

.PHONY: help venv demo test test-all test-gpu fuzz mutate coverage check format bench bench-page docs clean
.NOTPARALLEL:

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(CHECK) ## the environment for all targets, in .venv

demo: $(TEST) ## real digits, four networks: a table here, pictures and solved bases in demo/
	$(BIN)/python examples/digits/demo.py

test: $(TEST) ## the tests and the doctests, without the slow ones
	$(BIN)/pytest -n $(WORKERS)

test-all: $(CHECK) ## the same, with the slow ones
	$(BIN)/pytest -n $(WORKERS) -m "not gpu and not bench"

test-gpu: $(TEST) ## the tests that need an accelerator
	$(BIN)/pytest -m gpu

# No extra: only this target wants atheris, and it has wheels for few platforms. Without it inputs are mutated at random.
fuzz: $(TEST) ## numbers, expressions and files for FUZZ_SECONDS=600, guided by coverage
	$(BIN)/python -m pip install -q -c constraints.txt atheris || echo "no atheris here: random mutation instead"
	$(BIN)/python tests/quality/fuzz/run.py --seconds $(FUZZ_SECONDS)

# No extra: only this target wants mutmut.
mutate: $(CHECK) ## faults planted at random in solve/ and reps/: how many do the tests find? (MUTANTS=320, about an hour)
	$(BIN)/python -m pip install -q mutmut==3.8.1
	$(BIN)/python tests/quality/mutate.py reach
	$(BIN)/python tests/quality/mutate.py run --sample $(MUTANTS)

# Deselected: an interrupt there may hit coverage.py as it saves, which prints a traceback of its own.
coverage: $(CHECK) ## lines and branches of repcore/ that the default tests run
	$(BIN)/pytest -n $(WORKERS) --cov=repcore --cov-report=term-missing:skip-covered tests repcore \
		--deselect tests/quality/test_faults.py::test_an_interrupted_program_leaves_nothing

check: $(CHECK) ## lint, format, types, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(MAKE) docs

format: $(CHECK) ## repair what lint and format can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(CHECK) ## every speed claim, and EMLP and e3nn beside it (EMLP_LIMIT=120 seconds a case), measured in this run
	$(BIN)/pytest -m bench tests/benchmarks -s
	$(BIN)/python tests/benchmarks/growth.py
	$(BIN)/python tests/benchmarks/peers/irreps.py
	$(BIN)/python tests/benchmarks/peers/compare.py --limit $(EMLP_LIMIT)

bench-page: $(CHECK) ## the same, and docs/benchmarks.md is made of it
	$(BIN)/python tests/benchmarks/page.py --emlp-limit $(EMLP_LIMIT)

# -E: pages kept from an earlier build would not repeat their warnings.
docs: $(CHECK) ## the documentation, every page executed, in docs/_build/html
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs docs/_build/html

clean: ## what the targets left behind, except .venv
	rm -rf build dist docs/_build docs/jupyter_execute .pytest_cache .ruff_cache .hypothesis .coverage*
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# torch goes first and by its pin: resolved together with the rest, a range can pull another build of several gigabytes.
$(VENV)/.stamp-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt torch
	$(BIN)/python -m pip install -c constraints.txt -e '.[$(EXTRAS_$*)]'
	touch $@
