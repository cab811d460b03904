# `make report` sets everything up and writes the comparison of therapies for the made-up clinic; `make test` sets
# everything up and runs the tests. Any GNU make from 3.81 on. Without make, see "Windows" in README.md.

UV_VERSION := 0.13.9
VENV       := .venv
ifeq ($(OS),Windows_NT)
BIN        := $(VENV)/Scripts
else
BIN        := $(VENV)/bin
endif
INSTALLED  := $(VENV)/installed
PYTHON_CANDIDATES := python3.13 python3.12 python3.11 python3 python py

.PHONY: help report test slow lab lint bench docs site coverage lock clean
.DEFAULT_GOAL := help

help:
	@echo "make report   the comparison of therapies of the made-up clinic, under reports/html/"
	@echo "make test     all tests but the slow ones"
	@echo "make lab      JupyterLab on the explore notebook"
	@echo "make lint     style and types          make slow    truth recovery, faults, other examples"
	@echo "make bench    speed and memory         make docs    the generated pages of docs/"
	@echo "make site     docs and API as HTML     make coverage   which lines tests run, for information"
	@echo "make lock     requirements.lock anew   make clean   remove $(VENV) and what was cached"

report: $(INSTALLED)
	@$(BIN)/outcomes report therapy_comparison --source made-up-clinic \
		--instrument nprs --instrument odi --audience team --audience stakeholder

# Each file of tests stays with one process, so that what its tests share is made once.
test: $(INSTALLED)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

# Property tests too: here they try other examples each time.
slow: $(INSTALLED)
	@$(BIN)/python -m pytest -m "slow or hypothesis"

lab: $(INSTALLED)
	@$(BIN)/outcomes explore

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED)
	@set -e; for script in $(filter-out benchmarks/mutations.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$script; done

docs: $(INSTALLED)
	@$(BIN)/python docs/generate.py

# Pages for a browser, under build/site/; they load nothing from elsewhere.
site: $(INSTALLED)
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/site
	@echo "build/site/index.html"

coverage: $(INSTALLED)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered

# The lock names packages, versions and hashes for every platform and Python in range, and no host.
lock: $(INSTALLED)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --all-extras --output-file requirements.lock pyproject.toml

clean:
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

# The first Python in range that can make environments: Debian's lacks ensurepip until python3-venv is installed.
$(VENV)/python-chosen:
	@set -e; for candidate in $(PYTHON_CANDIDATES); do \
		if $$candidate -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
			>/dev/null 2>&1; then chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "Install Python 3.11, 3.12 or 3.13 with its venv module (on Debian and Ubuntu: apt install python3-venv)."; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$chosen --version) ..."; \
	$$chosen -m venv --clear $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	touch $@

# The last step builds matplotlib's list of fonts, which would otherwise cost the first figure ten seconds.
$(INSTALLED): requirements.lock pyproject.toml $(VENV)/python-chosen
	@echo "Installing what requirements.lock names (about a minute the first time) ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -c "import matplotlib.font_manager"
	@touch $@
