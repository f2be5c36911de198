PYTHON ?= python3
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
# The tests start hundreds of processes: each would compile our modules again.
export PYTHONDONTWRITEBYTECODE :=
EXTRAS := $(foreach extra,sandbox metrics postgresql timeline site digest worker serve traces mcp,--extra $(extra))

.PHONY: demo test check lint types contracts proof siege mutation bench bench-large soak dist size audit sbom lock clean

demo: $(VENV)/run.stamp ## tell one story in three trackers on loopback, run by run
	@$(BIN)/milesync demo

test: $(VENV)/dev.stamp ## every test
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: lint types contracts ## what must hold before the tests count

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

contracts: $(VENV)/dev.stamp
	$(BIN)/lint-imports

proof: $(VENV)/dev.stamp ## the contract suite on every version, the whole back-test, and the large proofs; writes the figures into docs/promises.md
	MILESYNC_PROOF=1 $(BIN)/python -m pytest -q -n $(WORKERS) tests/contract/test_contract_suite.py tests/e2e/test_backtest.py
	$(BIN)/python -m tests.proof

siege: $(VENV)/dev.stamp ## the part of the proofs with damaged answers, at its full count; writes nothing
	$(BIN)/python -m tests.proof tests/siege

mutation: $(VENV)/dev.stamp ## how many of a fixed sample of small faults the tests notice
	$(BIN)/python -m tests.mutation

bench: $(VENV)/dev.stamp ## figures, printed and never asserted
	$(BIN)/python tests/benchmarks/bench_connectors.py
	$(BIN)/python -m tests.benchmarks.bench_start
	$(BIN)/python -m tests.benchmarks.bench_growth
	$(BIN)/python -m tests.benchmarks.bench_thousand
	$(BIN)/python -m tests.benchmarks.bench_fleet
	$(BIN)/python -m tests.benchmarks.bench_assess
	$(BIN)/python -m tests.benchmarks.bench_ask

bench-large: $(VENV)/dev.stamp ## the same for 50,000 issues, for a million in ten thousand milestones, and for 50,000 in one
	$(BIN)/python tests/benchmarks/bench_connectors.py --issues 50000 --rows bare pull quiet
	$(BIN)/python tests/benchmarks/bench_connectors.py --only github --issues 20000 --changes 18000 --rows pull quiet change
	$(BIN)/python tests/benchmarks/bench_large.py
	$(BIN)/python -m tests.benchmarks.bench_milestone

soak: $(VENV)/dev.stamp ## a month of hourly runs over fifty projects that work every day
	$(BIN)/python -m tests.benchmarks.soak

dist: $(VENV)/dev.stamp ## wheel and source distribution in dist/, the same bytes from the same commit
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -t sdist -t wheel -d dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

size: $(VENV)/dev.stamp ## megabytes that an installation takes, the base and with all extras, and each package of it
	@$(BIN)/python -m tests.installed_size

audit: $(VENV)/dev.stamp ## known vulnerabilities in what we install; where nobody can tell: not audited
	@$(BIN)/python -m tests.audit

sbom: $(VENV)/dev.stamp ## the list of everything we install, with hashes (CycloneDX)
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible \
	  --output-file build/sbom.cdx.json

lock: ## needs uv on the path
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q \
	  $(EXTRAS) --group build -o requirements/run.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q \
	  $(EXTRAS) --extra plot --group build --group dev \
	  -c requirements/run.txt -o requirements/dev.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python requirements/run.txt pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/bin/python requirements/dev.txt pyproject.toml
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV)
