# Two commands: `make demo` runs the whole main job and serves it, `make test` passes the tests.
# Each sets up what it needs: a virtual environment in .venv with the locked packages (the demo needs fewer).

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
PORT ?= 3000
WORKERS ?= 2
HOME_DIR ?= .pulse
RUNS := $(VENV)/.runs
READY := $(VENV)/.ready

.PHONY: demo test test-full check bench acceptance reliability reference lock clean

demo: $(RUNS)
	$(BIN)/pulse demo --home $(HOME_DIR) --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve,--serve)

# Two workers: one per core of the machine the limits are set for.
test: check
	$(BIN)/pytest -n $(WORKERS)

test-full: check
	PULSE_FULL=1 $(BIN)/pytest -n $(WORKERS) -m "not bench"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/pytest -m bench -s -p no:randomly tests/benchmarks

# Hours of CPU; goes on where it was stopped. ONLY="seeds thin" measures some cases.
acceptance: $(READY)
	$(BIN)/python -m tests.acceptance $(if $(ONLY),--only $(ONLY))

# What breaks and what holds: promotions, damaged files, kill -9. PULSE_FULL=1 takes hours, without it minutes.
reliability: $(READY)
	rm -f $(VENV)/rows.txt
	PULSE_ROWS=$(VENV)/rows.txt $(BIN)/pytest -n 0 tests/faults
	$(BIN)/python -m tests.faults.table $(VENV)/rows.txt

reference: $(READY)
	$(BIN)/python -m features.reference docs tests/features

# Not compiled when installed: most of what is installed is never loaded, and what is compiles itself.
$(RUNS): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(READY): requirements-dev.lock $(RUNS)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements-dev.lock
	touch $@

# Needs uv; writes names, versions and hashes only. What runs has the same versions in both.
COMPILE := uv pip compile pyproject.toml --group build --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links --quiet
lock:
	$(COMPILE) --extra dev --output-file requirements-dev.lock
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock

clean:
	rm -rf $(VENV) .pulse build *.egg-info
