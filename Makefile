# Every target makes .venv and installs what it needs first; the stamp is renewed when the dependencies change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo dashboard test chaos lint bench install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

demo: $(STAMP)
	$(BIN)/python -m distcari.submit configs/demo.yaml

dashboard: $(STAMP)
	$(BIN)/python dashboard/app.py

# Two files at a time: most of the suite waits for processes to start.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Random kills over a real grid: KILLS=300 takes about half an hour on two cores.
chaos: $(STAMP)
	cd tests && ../$(BIN)/python -m system.chaos --kills $(or $(KILLS),300)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b; done

clean:
	rm -rf $(VENV) build *.egg-info
