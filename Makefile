# make demo   flag the outliers of a real data set, and plot them (demo.png)
# make check  lint, types and the tests of the parts: under a minute
# make test   lint, doctests and tests; COV=--cov counts the lines that they reach
# make test-oldest  the tests with the oldest versions that are declared
# make lint   ruff, numpydoc and mypy
# make docs   the documentation, in docs/_build/html, looked at in a browser
# make docs-check  the same without running the gallery
# make bench  the six data sets of the paper against the baselines
# make clean  remove everything that the targets above made
#
# Each target installs what it needs into .venv once; it installs again when
# pyproject.toml or constraints.txt changes.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo check test test-oldest lint docs docs-check bench clean
# Targets share one virtual environment, and pip must not run in it twice at once.
.NOTPARALLEL:

demo: .venv/plot.stamp
	$(BIN)/python docs/examples/plot_breast_cancer.py

check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q -o addopts="--strict-markers" \
	  $(wildcard tests/data tests/evidence tests/files tests/networks tests/scaling tests/training)

# One thread a worker: the two workers already fill a small machine. A test that hangs
# fails, with where it stood; it would hold CI up for as long as CI may take. Tables are
# drawn alike in every run, so what fails is the change; without the profile, or in
# `make check`, hypothesis draws others.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(COV) --hypothesis-profile=ci \
	  -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

# In an environment of its own. Of torch no build for the CPU alone is as old as 2.4
# everywhere, so that one is the newest: its declared minimum is what the code asks for.
# Figures are left out, since those of another matplotlib differ by a pixel, and so is
# what PowerTransformer of scikit-learn 1.6 warns of when it is given back its own array.
test-oldest: .venv-oldest/test.stamp
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -n 2 -o addopts="--doctest-modules" \
		-W "ignore:X does not have valid feature names, but PowerTransformer"

.venv-oldest/test.stamp: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet -c constraints-oldest.txt -e ".[test]"
	touch $@

lint: .venv/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/numpydoc lint skncae/__init__.py skncae/data/_chunks.py skncae/_detector.py skncae/dask.py \
	  skncae/metrics.py skncae/plotting/_scores.py skncae/plotting/_rows.py skncae/plotting/_latent.py \
	  skncae/plotting/_generated.py skncae/plotting/_weights.py skncae/pyod.py \
	  skncae/reports/_report.py skncae/feedback/_mixin.py
	$(BIN)/lint-imports
	$(BIN)/mypy

# Whether a page scrolls sideways or clips its code is asked of Chromium.
SPHINX := $(BIN)/sphinx-build -q -W --keep-going
LOOK := DOCS_HTML=docs/_build/html $(BIN)/python -m pytest -q -o addopts= tests/docs

docs: .venv/docs.stamp .venv/test.stamp
	$(SPHINX) docs docs/_build/html
	$(LOOK)

docs-check: .venv/docs.stamp .venv/test.stamp
	$(SPHINX) -D plot_gallery=0 docs docs/_build/html
	$(LOOK)

bench: .venv/bench.stamp
	$(BIN)/python -m benchmarks tables

clean:
	rm -rf .venv .venv-oldest *.egg-info build dist demo.png .coverage
	rm -rf .mypy_cache .pytest_cache .ruff_cache docs/_build docs/generated docs/gallery
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "skncae needs Python 3.11 or newer. Name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

# .venv/test.stamp: the extra "test" is installed. The first one takes a few minutes.
.venv/%.stamp: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[$*]"
	touch $@
