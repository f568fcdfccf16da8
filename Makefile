# `make` lists what can be made.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage drill bench check audit settings lock clean

help:  ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing what the server needs ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: .venv/run  ## Serve on http://127.0.0.1:5000
	@$(BIN)/gunicorn -c gunicorn.conf.py wsgi:app

demo: .venv/run  ## Serve with an example plan, play some hundred calls of the last days, and show them
	@$(BIN)/python -c 'import socket, sys; port = sys.argv[1]; \
		taken = port.isdigit() and int(port) < 65536 and not socket.socket().connect_ex(("127.0.0.1", int(port))); \
		sys.exit(taken and f"Port {port} is taken by another server; write a free one, such as PORT={int(port) % 65535 + 1} make demo")' \
		$${PORT:-5000}
	@export INSTANCE_DIR=instance/demo DIAL_PLAN=docs/plans/one-after-another.toml SIMULATED_TIME=true \
		VERIFY_SIGNATURES=off PLIVO_AUTH_TOKEN= HOST=127.0.0.1 PUBLIC_URL= TRUSTED_PROXIES=0 DATABASE_URL= REPORTS_TOKEN= LOG_LEVEL=WARNING \
		PORT=$${PORT:-5000}; \
	$(BIN)/gunicorn -c gunicorn.conf.py wsgi:app & server=$$!; \
	trap 'kill $$server 2>/dev/null; wait $$server' EXIT; trap 'exit 0' INT TERM; \
	until curl --silent --fail --output /dev/null http://127.0.0.1:$$PORT/healthz; do \
		kill -0 $$server 2>/dev/null || exit 1; sleep 0.2; done; \
	$(BIN)/flask --app wsgi simulate --calls 400 --spread-days 7; \
	echo; echo "See the calls: http://127.0.0.1:$$PORT/login?token=$$(cat instance/demo/reports_token)"; \
	echo "Ctrl-C ends the demo. Its records stay in instance/demo."; \
	wait $$server

test: .venv/dev  ## Run the tests (under ten minutes on two processors)
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

coverage: .venv/dev  ## Run the tests and tell what they do not reach, servers included (takes half as long again)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --numprocesses auto --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

drill: .venv/dev  ## Run the long drills: kills, failovers, floods of hostile input (up to 40 minutes)
	@$(BIN)/python -m pytest -m drill

.venv/bench: benchmarks/requirements.txt .venv/run
	@echo "Installing what the benchmarks need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

bench: .venv/dev .venv/bench  ## Measure webhooks side by side with other ways to take them (under five minutes)
	@$(BIN)/python -m benchmarks.run

check: .venv/dev  ## Format, lint, types, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory audit
	@$(MAKE) --no-print-directory test

audit: .venv/dev  ## Look for known faults in the libraries
	@if $(BIN)/python -c 'import urllib.request; urllib.request.urlopen("https://api.osv.dev/", timeout=5)' 2>&1 \
		| grep -q "URLError\|timed out"; then echo "SKIPPED pip-audit: its service cannot be reached from here"; \
	else $(BIN)/pip-audit --vulnerability-service osv --no-deps --disable-pip --requirement requirements.txt; fi

settings: .venv/run  ## Write the settings into README.md and .env.example
	@$(BIN)/python -c 'import pathlib, re, config; readme = pathlib.Path("README.md"); \
		table = re.compile(r"^\| setting \| default(?:.*\|\n)+", re.MULTILINE); \
		readme.write_text(table.sub(lambda _: config.settings_table(), readme.read_text())); \
		pathlib.Path(".env.example").write_text(config.env_example())'

lock: .venv/dev  ## Write requirements*.txt anew from pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --output-file requirements.txt pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --strip-extras --extra dev --allow-unsafe --no-header --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file requirements-dev.txt pyproject.toml

clean:  ## Remove what make made; records in instance/ stay
	@rm -rf .venv .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
