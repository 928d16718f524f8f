# make serve: everything from nothing to a running endpoint.   make test: everything that CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the installed package is made of beside Python, which is installed as links.
WEB := $(shell find src/digiden_kg/web/frontend -path '*/node_modules' -prune -o -type f -print)
INPUTS := pyproject.toml hatch_build.py $(WEB)

.PHONY: serve build check test coverage lint fmt golden clean

serve: $(VENV)/.installed
	$(BIN)/digiden-kg serve

build: $(VENV)/.installed
	$(BIN)/digiden-kg build

check: $(VENV)/.installed
	$(BIN)/digiden-kg check

test: $(VENV)/.installed-test lint
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

# What the tests leave out, of what runs in their own process.
coverage: $(VENV)/.installed-test
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --cov=digiden_kg --cov-report=term

lint: $(VENV)/.installed-test
	$(BIN)/ruff check src tests data benchmarks hatch_build.py
	$(BIN)/ruff format --check src tests data benchmarks hatch_build.py
	$(BIN)/mypy

# Rewrites sources into their canonical form.
fmt: $(VENV)/.installed-test
	$(BIN)/ruff check --fix src tests data benchmarks hatch_build.py
	$(BIN)/ruff format src tests data benchmarks hatch_build.py
	$(BIN)/python -m digiden_kg.ontology ontology shapes

# Rewrites the expected answers of the saved questions; look at the diff before committing it.
golden: $(VENV)/.installed-test
	$(BIN)/pytest tests/test_questions.py tests/test_docs.py --golden -q

clean:
	rm -rf $(VENV) build

$(VENV)/.installed: $(INPUTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: $(INPUTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed
