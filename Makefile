# `make` lists the targets.
PYTHON ?= python3
BIN := .venv/bin

# uv installs several times faster; pip comes with Python. Both refuse what the lock's hashes do not cover.
UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
NEW_VENV = $(UV) venv --quiet --clear --python $(PYTHON) .venv
INSTALL = $(UV) pip install --python $(BIN)/python --require-hashes
SAY = cat
else
NEW_VENV = $(PYTHON) -m venv --clear .venv
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes
SAY = awk '/^Collecting/ { print "  " $$2; fflush() } /^Installing collected/ { print "  copying them into place"; fflush() }'
endif
# Named on a line of its own, so that a failure between two steps is not taken for success.
define install
@rm -f $@
@echo "Installing $$(grep -c '==' $<) packages for $(1) into .venv with $(if $(UV),uv,pip); the first time takes about $(2)."
@{ $(INSTALL) --requirement $< && touch $@; } | $(SAY); test -e $@
endef

.DEFAULT_GOAL := help
.PHONY: help run demo test test-fast coverage drill drill-ha bench check audit sbom hooks settings lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -c '$(if $(UV),,import pip)' 2>/dev/null || { echo "Creating .venv ..." && $(NEW_VENV); }
	$(call install,the server,$(if $(UV),ten seconds,a minute))

.venv/dev: requirements-dev.txt .venv/run
	$(call install,the tests,$(if $(UV),half a minute,two minutes))

.venv/bench: benchmarks/requirements.txt .venv/run
	$(call install,the benchmarks,$(if $(UV),ten seconds,half a minute))

run: .venv/run  ## Serve on http://127.0.0.1:5000
	@$(BIN)/gunicorn -c gunicorn.conf.py wsgi:app

demo: .venv/run  ## Serve with an example plan, play fourteen days of calls and one that lasts, and show them
	@$(BIN)/python -c 'import socket, sys; port = sys.argv[1]; \
		taken = port.isdigit() and int(port) < 65536 and not socket.socket().connect_ex(("127.0.0.1", int(port))); \
		sys.exit(taken and f"Port {port} is taken by another server; write a free one, such as PORT={int(port) % 65535 + 1} make demo")' \
		$${PORT:-5000}
	@export INSTANCE_DIR=instance/demo DIAL_PLAN=docs/demo-plan.toml SIMULATED_TIME=true \
		VERIFY_SIGNATURES=off PLIVO_AUTH_TOKEN= HOST=127.0.0.1 PUBLIC_URL= TRUSTED_PROXIES=0 DATABASE_URL= \
		REPORTS_TOKEN= LOG_LEVEL=WARNING PORT=$${PORT:-5000}; \
	rm -f instance/demo/dialstatus.db*; \
	$(BIN)/gunicorn -c gunicorn.conf.py wsgi:app & server=$$!; \
	trap 'kill $$server $$lasting 2>/dev/null; wait $$server' EXIT; trap 'exit 0' INT TERM; \
	until $(BIN)/python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' \
		http://127.0.0.1:$$PORT/healthz 2>/dev/null; do \
		kill -0 $$server 2>/dev/null || exit 1; sleep 0.2; done; \
	echo "Playing the calls of fourteen days ..."; \
	simulate="$(BIN)/flask --app wsgi simulate --caller-names"; days="--spread-days 14 --concurrency 4"; \
	{ $$simulate --calls 400 $$days --seed 14 && $$simulate --calls 200 $$days --seed 15 --to +14155550198; } >/dev/null || exit 1; \
	$$simulate long-talk --real-time --from +14155550143 >/dev/null & lasting=$$!; \
	echo; echo "See the calls: http://127.0.0.1:$$PORT/login?token=$$(cat instance/demo/reports_token)"; \
	echo "Ctrl-C ends the demo. Its records stay in instance/demo until the next one."; \
	wait $$server

test: .venv/dev  ## Run the tests (under ten minutes on two processors)
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

FAST := tests/voice tests/plan tests/settings tests/test_config.py tests/test_house.py tests/test_prose.py

test-fast: .venv/dev  ## Run the tests of the pure rooms and of the laws (under 30 seconds)
	@$(BIN)/python -m pytest --quiet --numprocesses auto --dist worksteal $(FAST)

coverage: .venv/dev  ## Run the tests and list what they do not reach, servers included (takes half as long again)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses auto --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

drill: .venv/dev  ## Run the long drills: kills, failovers, hostile input, assaults, a fresh machine (up to an hour)
	@$(BIN)/python -m pytest -m drill

drill-ha: .venv/dev  ## Break three machines with PostgreSQL under Patroni, under load (WEBHOOKS=100000, RATE=250)
	@$(BIN)/python -m pytest -m drill_ha --capture=no

bench: .venv/dev .venv/bench  ## Measure webhooks side by side with other ways to serve them (under five minutes)
	@$(BIN)/python -m benchmarks.run

check: .venv/dev  ## Format, lint, types, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

audit: .venv/dev  ## Compare the locked libraries with known vulnerabilities (.ci/audit exits 75 if it could not)
	@$(BIN)/python .ci/audit

sbom: .venv/dev  ## Write what the server consists of to sbom.cdx.json (CycloneDX)
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-file sbom.cdx.json requirements.txt
	@echo "Wrote sbom.cdx.json: $$(grep -c '"purl"' sbom.cdx.json) libraries."

hooks: .venv/dev  ## Check format, lint and types before each commit
	@printf '#!/bin/sh\n# Written by make hooks.\nset -e\n.venv/bin/ruff format --check .\n.venv/bin/ruff check .\n.venv/bin/mypy\n' \
		> "$$(git rev-parse --git-path hooks)/pre-commit"
	@chmod +x "$$(git rev-parse --git-path hooks)/pre-commit"
	@echo "Installed the hook. Skip it once with git commit --no-verify."

settings: .venv/run  ## Write the settings into README.md and .env.example
	@$(BIN)/python -c 'import pathlib, re, config; readme = pathlib.Path("README.md"); \
		table = re.compile(r"^\| setting \| default(?:.*\|\n)+", re.MULTILINE); \
		readme.write_text(table.sub(lambda _: config.settings_table(), readme.read_text())); \
		pathlib.Path(".env.example").write_text(config.env_example())'

# No host of an index is written: a lock names versions and hashes, and where they come from is the installer's choice.
LOCK := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host

lock: .venv/dev  ## Resolve pyproject.toml again and write the locks with hashes
	@$(LOCK) --output-file requirements.txt pyproject.toml
	@$(LOCK) --constraint requirements.txt --extra dev --allow-unsafe --output-file requirements-dev.txt pyproject.toml
	@$(LOCK) --constraint requirements.txt --extra bench --output-file benchmarks/requirements.txt pyproject.toml

clean:  ## Remove what make made; records in instance/ stay
	@rm -rf .venv .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis sbom.cdx.json
