# Python 3.11 or later, and make: nothing else has to be there.

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 9000
DATA ?= artifact-gateway-data
REQUESTS ?= 100000

# Gateways that tests start, and pytest's workers, would compile everything anew each time.
unexport PYTHONDONTWRITEBYTECODE

# The first of these that runs, is new enough and can make environments; PYTHON=… chooses another.
# Distributions build theirs with profile-guided optimization, version managers often without: a
# request there takes up to a fifth more CPU.
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)

.PHONY: run test adopt downloads model crowd parts walks soak races large large-publish large-commands bench bench-registry javascript check reference format clean

run: $(VENV)/.local
	$(BIN)/artifact-gateway serve --sample --port $(PORT) --data-dir $(DATA)

# Four workers for two cores: much of the time one waits for a server. A file's tests stay together,
# so that what they share is set up once, and ended with the last of them.
# PYTEST goes to pytest behind what is said here: make test PYTEST='-n 0 -k name'
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST)

# The AWS SDK for JavaScript: its tests are skipped without. No lock file, since those name hosts.
javascript:
	npm install --prefix tests/clients/javascript --no-package-lock --no-audit --no-fund \
		--ignore-scripts --loglevel error

# Random lives of artifacts against a model of the state tables; the suite has a short form.
model: $(VENV)/.dev
	MODEL_STEPS=$(or $(STEPS),20000) $(BIN)/python -m pytest -q --timeout 0 tests/acceptance/test_model.py \
		tests/acceptance/test_gc_model.py

# Writers and readers of one artifact, at one gateway, at two workers, at two gateways.
crowd: $(VENV)/.dev
	CROWD_SECONDS=$(or $(SECONDS),30) $(BIN)/python -m pytest -q -s tests/acceptance/test_crowded_artifact.py

# A large file in parallel parts, by the URLs of put_file; the suite has a short form.
parts: $(VENV)/.dev
	PARTS_MEGABYTES=$(or $(MEGABYTES),300) $(BIN)/python -m pytest -q tests/acceptance/test_files_in_parts.py

# By commands, a folder and a large file, with kills in between; the suite has a short form.
large-commands: $(VENV)/.dev
	PUBLISHED_FILES=$(or $(FILES),1000) PUBLISHED_MEBIBYTES=$(or $(MEBIBYTES),3072) \
		$(BIN)/python -m pytest -q --timeout 0 tests/acceptance/test_artifact_interruptions.py

# Ten thousand downloads, with kills, and with the database away; the suite has a short form.
downloads: $(VENV)/.dev
	DOWNLOADS=10000 DOWNLOAD_KILLS=5 $(BIN)/python -m pytest -q tests/acceptance/test_counted_downloads.py

# Readers' listings of every kind against a plain model; the suite takes a sample.
walks: $(VENV)/.dev
	VIEW_WALKS=$(or $(WALKS),3000) $(BIN)/python -m pytest -q --timeout 0 tests/acceptance/test_view_walks.py

# A bucket of many objects and manifests that the gateway has never seen; the suite has a short form.
adopt: $(VENV)/.dev
	ADOPT_OBJECTS=$(or $(OBJECTS),50000) ADOPT_MANIFESTS=$(or $(MANIFESTS),2000) \
		$(BIN)/python -m pytest -q -s tests/acceptance/test_adoption.py

# Clients that leave at every point of an exchange, for as long as it takes: minutes.
soak: $(VENV)/.dev
	SOAK_REQUESTS=$(REQUESTS) $(BIN)/python -m pytest --timeout 7200 tests/acceptance/test_aborts.py $(PYTEST)

# Calls that meet in many more rounds than the suite has time for.
races: $(VENV)/.dev
	RACES=$(or $(TIMES),10) $(BIN)/python -m pytest --timeout 7200 $(PYTEST) \
		tests/acceptance/test_races.py tests/acceptance/test_hardening_lifecycle.py

# One object of 5 GiB, up and down; the suite has a short form.
large: $(VENV)/.dev
	LARGE_OBJECT_MEBIBYTES=$(or $(MEBIBYTES),5120) $(BIN)/python -m pytest --timeout 7200 $(PYTEST) \
		tests/acceptance/test_large_objects.py

# By the Python client: a file of 3 GiB and a folder of a thousand, both killed half-way; the suite
# has a short form.
large-publish: $(VENV)/.dev
	PUBLISH_MEBIBYTES=$(or $(MEBIBYTES),3072) PUBLISH_FILES=1000 $(BIN)/python -m pytest -q -s \
		--timeout 7200 $(PYTEST) tests/acceptance/test_python_interrupted.py \
		tests/acceptance/test_python_transfers.py

# What the gateway costs beside other proxies: twenty minutes on a quiet machine, and 15 GB of disk.
# It writes docs/performance.md. BENCH goes to the bench: make bench BENCH='--only HEAD --rounds 1'
bench: $(VENV)/.dev
	rm -f bench-speed.json
	$(BIN)/python -m bench.speed --json bench-speed.json $(BENCH); status=$$?; \
	test ! -e bench-speed.json || $(BIN)/python -m bench.speed.page bench-speed.json; exit $$status

# What big artifacts and big collections take, in figures, on both databases.
bench-registry: $(VENV)/.dev
	for database in sqlite postgresql; do for what in commits members; do \
		$(BIN)/python -m bench.$$what --database $$database --json bench-$$what-$$database.json \
		|| exit 1; done; done

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict gateway tests bench
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/docs

# docs/rpc.md, from the methods' rows, and docs/command-line.md, from the commands.
reference: $(VENV)/.dev
	$(BIN)/python -m tests.docs.reference
	$(BIN)/python -m tests.docs.commands

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) tests/clients/javascript/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras: made again when what is to be installed has changed.
$(VENV)/.%: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
