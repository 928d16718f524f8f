# make serve: everything from nothing to a running endpoint.   make test: everything that CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve build check test lint fmt golden clean

serve: $(VENV)/.installed
	$(BIN)/digiden-kg serve

build: $(VENV)/.installed
	$(BIN)/digiden-kg build

check: $(VENV)/.installed
	$(BIN)/digiden-kg check

test: $(VENV)/.installed-test lint
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check src tests data benchmarks
	$(BIN)/ruff format --check src tests data benchmarks
	$(BIN)/mypy

# Rewrites sources into their canonical form.
fmt: $(VENV)/.installed-test
	$(BIN)/ruff check --fix src tests data benchmarks
	$(BIN)/ruff format src tests data benchmarks
	$(BIN)/python -m digiden_kg.ontology ontology shapes

# Rewrites the expected answers of the saved questions; look at the diff before committing it.
golden: $(VENV)/.installed-test
	$(BIN)/pytest tests/test_questions.py tests/test_docs.py --golden --no-cov -q

clean:
	rm -rf $(VENV) build

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed
