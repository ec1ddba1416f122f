# Every target makes .venv and installs what it needs first.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest -n 2 --dist worksteal

.PHONY: help demo test test-fast test-all check bench attack clean

help:
	@echo "make demo       a small sweep, its table and its report, in outputs/demo, in about a minute"
	@echo "make test       the whole test suite"
	@echo "make test-fast  the tests that are not slow, in under two minutes"
	@echo "make test-all   the whole test suite, then the fast tests on the other supported Pythons of this machine"
	@echo "make check      ruff and mypy"
	@echo "make bench      measure speed against peers"
	@echo "make attack     try to break it, in minutes; FULL=1 as docs/reliability.md has it, in an hour or two"
	@echo "make clean      remove .venv, builds and caches; outputs stay"
	@echo "Each makes .venv and installs what it needs. PYTHON=python3.12 chooses another Python."

demo: $(VENV)/installed
	$(VENV)/bin/ppo-sweeps run smoke outputs=outputs/demo
	$(VENV)/bin/ppo-analysis table1 --sweep smoke outputs=outputs/demo
	$(VENV)/bin/ppo-analysis report --sweep smoke outputs=outputs/demo --out outputs/demo/report.html
	@echo
	@echo "The runs are in outputs/demo/runs, the report is outputs/demo/report.html. What to do next:"
	@echo "  . $(VENV)/bin/activate"
	@echo "  ppo env=hopper surrogate=clip seed=0    train one run"
	@echo "  ppo-sweeps plan table1                  what the paper's Table 1 takes on this machine"
	@echo "  ppo-analysis table1                     Table 1 from the published runs"
	@echo "  ppo --help                              every choice and key"

# The workers of pytest are the parallelism: one thread each.
test test-fast test-all attack: export OMP_NUM_THREADS = 1
test test-fast test-all attack: export MKL_NUM_THREADS = 1
test test-fast test-all attack: export OPENBLAS_NUM_THREADS = 1
test: $(VENV)/installed-dev
	$(PYTEST)

test-fast: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

test-all: test
	.ci/other-pythons $(PY)

check: $(VENV)/installed-dev
	$(PY) -m ruff check
	$(PY) -m mypy -p ppo -p sweeps -p analysis

bench: $(VENV)/installed-bench
	$(PY) -m tests.bench

attack: $(VENV)/installed-dev
	$(PY) -m tests.attack $(if $(FULL),--full)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find ppo sweeps analysis tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of extras; all have the games. What pip prints is shown only if it fails.
extras = $(or $(patsubst installed-%,[%],$(filter installed-%,$(@F))),[atari])
$(VENV)/installed $(VENV)/installed-dev $(VENV)/installed-bench: pyproject.toml setup.py constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing .$(extras) into $(VENV) ..."
	@$(PY) -m pip install -c constraints.txt -e '.$(extras)' >$@.log 2>&1 || { cat $@.log >&2; exit 1; }
	@touch $@
