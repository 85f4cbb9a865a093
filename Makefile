# Every target makes .venv and installs what it needs first; the stamp is renewed when the dependencies change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Those that run by themselves, not their helpers. All of them take hours; each says in its head what it does.
BENCHMARKS = $(shell grep -l __main__ benchmarks/*.py)

.PHONY: demo dashboard site pictures test test-long chaos check lint types layers docs bench install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/distcari demo

dashboard: $(STAMP)
	$(BIN)/python dashboard/app.py

# The demo's store as a site of static files, build/demo-site/index.html.
site: $(STAMP)
	$(BIN)/distcari demo
	$(BIN)/distcari publish store --out build/demo-site --experiment demo --title "distcari: the demo"

# Every picture of README and docs, each by a real run: an hour, half of it for the planted differences.
pictures: $(STAMP)
	$(BIN)/python docs/make_pictures.py

# Three at a time on two cores: much of the suite waits for processes to start. tests/conftest.py says what goes where.
# Compiled modules are kept whatever the environment says: dozens of processes would compile the same again.
AT_ONCE = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder
test: $(STAMP)
	$(AT_ONCE) -m "not long"

# What takes a minute or more each: random kills, two hosts, trained networks.
test-long: $(STAMP)
	$(AT_ONCE) -m long

# Random kills over a real grid: KILLS=300 takes about half an hour on two cores.
chaos: $(STAMP)
	cd tests && ../$(BIN)/python -m system.chaos --kills $(or $(KILLS),300)

check: lint types layers

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

# The site lies in build/site/index.html.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@for b in $(BENCHMARKS); do echo "== $$b"; $(BIN)/python $$b || exit; done

clean:
	rm -rf $(VENV) build dist *.egg-info
