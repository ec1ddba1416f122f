# Every target makes .venv and installs what it needs first.
PYTHON ?= python3
PY := .venv/bin/python
INSTALL := $(PY) -m pip install -c constraints.txt

.PHONY: help demo test check bench clean

help:
	@echo "make demo    a small sweep, its table and its report, in outputs/demo, in about a minute"
	@echo "make test    run the tests"
	@echo "make check   ruff and mypy"
	@echo "make bench   measure speed against peers"
	@echo "make clean   remove .venv, builds and caches; outputs stay"
	@echo "Each makes .venv and installs what it needs. PYTHON=python3.12 chooses another Python."

demo: .venv/installed
	$(PY) -m sweeps run smoke outputs=outputs/demo
	$(PY) -m analysis table1 --sweep smoke --store outputs/demo
	$(PY) -m analysis report --sweep smoke --store outputs/demo --out outputs/demo/report.html

# The workers of pytest are the parallelism: one thread each.
test: export OMP_NUM_THREADS = 1
test: export MKL_NUM_THREADS = 1
test: export OPENBLAS_NUM_THREADS = 1
test: .venv/installed
	$(PY) -m pytest -n 2 --dist worksteal

check: .venv/installed
	$(PY) -m ruff check
	$(PY) -m mypy -p ppo -p sweeps -p analysis

bench: .venv/installed-bench
	$(PY) -m tests.bench

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find ppo sweeps analysis tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[dev]'
	touch $@

.venv/installed-bench: .venv/installed
	$(INSTALL) -e '.[dev,bench]'
	touch $@
