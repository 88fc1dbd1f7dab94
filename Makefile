# Two commands: `make study` and `make test`. Both make .venv from the hashed lock first, once.
# The newest supported Python that runs here: a version manager may have names for some that do not.
PYTHON ?= $(or $(shell for version in 3.13 3.12 3.11; do python$$version -c "import venv" 2>/dev/null && echo python$$version && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
QUICK := $(addprefix tests/,test_architecture.py settings study files sparsity tables figures)

.PHONY: study report quick test test-cluster docs lint fuzz bench lock generate clean

study: $(VENV)/.study
	$(BIN)/snakemake --cores $(CORES)

report: $(VENV)/.study
	$(BIN)/snakemake --report results/report.html

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -rs --numprocesses logical --dist loadfile --ignore tests/cluster

# What starts no Snakemake and compiles no step of a simulator.
quick: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses logical -m "not slow" $(QUICK)

# On a Slurm of its own on this machine; says why where there can be none.
test-cluster: $(VENV)/.slurm
	$(BIN)/python -m pytest -rs tests/cluster

# Hostile configurations, policy files and stores, 10,000 of each kind; the suite tries some hundreds.
fuzz: $(VENV)/.test
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --numprocesses logical tests/*/test_hostile_*.py

# The site, in docs/_build: a broken link, or a page that would load a file from another host, fails it.
docs: $(VENV)/.docs
	rm -rf docs/_build
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning -c docs -d .cache/docs . docs/_build

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check src tests benchmarks docs envs
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

lock: $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python envs/lock.py

# What follows from the catalogues and the settings: the JSON schema, the figures' section of config.yaml, captions.
generate: $(VENV)/.study
	$(BIN)/python -m dynamic_sparsity.study.generated

clean:
	rm -rf $(VENV) .cache .snakemake

# The environment: made again when its lock changes, left alone otherwise.
$(VENV)/.study: envs/requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.test: $(VENV)/.study envs/requirements-test.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/requirements-test.txt
	touch $@

$(VENV)/.slurm: $(VENV)/.test envs/requirements-slurm.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/requirements-slurm.txt
	touch $@

$(VENV)/.docs: $(VENV)/.study envs/requirements-docs.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/requirements-docs.txt
	touch $@
