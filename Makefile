# make demo    rendered people -> tables of all studies, statistics, figures: nothing else needs to be there before
# make quick   a first table in two minutes: two of the demo's networks, which `make demo` then goes on from
# make test    linters, types, tests
# make test-faults     kills at random moments, full disks, damaged files, two runs at once: 12 minutes
# make test-browser    the pages of the human evaluation in a real browser (apt-get install chromium): two minutes
# make test-cluster    the workflow on a small SLURM (Debian: apt-get install slurm-wlm munge): 15 minutes
# All set up .venv by themselves. Faster on more cores: `make demo CORES=8`.

PYTHON ?= python3.11
CORES ?= $(shell nproc)
BIN := .venv/bin

.PHONY: demo quick test test-faults test-browser test-cluster lint setup setup-dev dvc-commit clean-demo

demo: setup
	$(BIN)/snakemake --cores $(CORES) --configfile config/demo.yaml --quiet rules host reason
	@cat results/tables/table3.md results/tables/table8.md results/tables/untrained.md results/statistics/statistics.md \
		results/tables/reversible_table3.md results/tables/reversible_table5.md results/tables/scenes_table_a2.md \
		results/tables/tradeoff.md results/statistics/privacy.md

quick: setup
	$(BIN)/snakemake --cores $(CORES) --configfile config/demo.yaml config/quick.yaml --quiet rules host reason -- results/tables/table3.csv
	@cat results/tables/table3.md

# A test file stays in one process, with what it has made; the long ones, the workflow's, come first.
test: setup-dev lint
	$(BIN)/python -m pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

test-faults: setup-dev
	$(BIN)/python -m pytest tests/faults -m ""

test-browser: setup-dev
	$(BIN)/python -m pytest tests/browser -rs

test-cluster: setup-dev
	$(BIN)/python -m pytest tests/cluster

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile workflow

setup: .venv/installed
setup-dev: .venv/installed-dev

# torch first: a plain `torch` asked for by another package would fetch gigabytes of CUDA libraries.
.venv/installed: requirements.txt requirements-nodeps.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet -r requirements.txt
	$(BIN)/pip install --quiet --no-deps -r requirements-nodeps.txt
	$(BIN)/pip install --quiet --no-deps --editable .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/pip install --quiet -r requirements-dev.txt
	@touch $@

# After a snakemake run with the same CONFIG: its artifacts into dvc.lock and DVC's cache (docs/dvc.md).
dvc-commit: setup
	$(BIN)/anonbench record $(if $(CONFIG),--configfile $(CONFIG))

clean-demo:
	git clean -fdXq results logs data/rendered .snakemake
