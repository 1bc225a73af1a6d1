# Everything runs in a virtual environment of its own; nothing outside this folder is touched but the weights' cache.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test validate check bench docs lab lock clean

run: $(READY)  ## install, run the first study on the embedded model, print where the report is
	$(BIN)/toolkit run experiments/first-study

# Three files at a time, whatever the machine: many tests start processes of their own, and wait for them. Which files
# begin is settled in tests/conftest.py.
test: $(READY)  ## all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

validate: $(READY)  ## the long simulations that "make test" leaves out: minutes
	$(BIN)/python -m pytest -m validate

check: $(READY)  ## lint and complexity, types, dead code, dependencies, security
	$(BIN)/ruff check toolkit tests benchmarks experiments docs
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/deptry toolkit
	$(BIN)/bandit -q -c pyproject.toml -r toolkit

bench: $(READY)  ## side-by-side ratios, measured in one run; BENCH='--only loop,replay --json FILE'
	PYTHONPATH=$(CURDIR) OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py $(BENCH)

docs: $(READY)  ## the documentation as a site, in build/site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict

lab: $(READY)  ## JupyterLab on the first notebook; studies go to ./ledger, as from the command line
	$(BIN)/toolkit lab

# uv is several times as fast; where it does not know the index that pip is set up for, pip does the same work.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]' \
	  || $(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $(READY)

lock:  ## the versions that resolve today, for Python 3.11 to 3.13, without addresses
	uv pip compile -q --universal --python-version 3.11 --extra cluster --extra dev --extra docs --extra worlds \
	  --no-annotate --no-header --no-emit-index-url pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
