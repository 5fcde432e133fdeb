# Everything that a person types. `make` alone lists it.
# Paths may hold spaces: nothing below relies on absolute paths without quotes.

SHELL := /bin/sh
PORT ?= 8000
SEED ?= 1
PAYMENTS ?= 2000
DATA ?= var
VENV := .venv
# Compiled modules are kept: without them every process compiles every module again at its start.
unexport PYTHONDONTWRITEBYTECODE
PY := $(VENV)/bin/python
# Commands that look at the code need settings, and neither a database nor real keys.
OFFLINE := env SMART_CHECKOUT_DATA=var/offline SECRET_KEY=offline AUDIT_HMAC_KEY=offline RISK_ENTITY_KEY=offline \
	QUOTE_KEYS=offline=offline VAULT_KEYS=offline=offline DATABASE_URL=postgres://offline@127.0.0.1:9/offline \
	REDIS_URL=redis://127.0.0.1:9/0 PUBLIC_URL=http://127.0.0.1:8000 \
	STRIPE_SECRET_KEY= ALIPAY_APP_ID= WECHAT_MCHID= UNIONPAY_MER_ID= ECNY_MCH_ID= BANK_TOKEN= CRYPTO_API_KEY= SMS_API_KEY=

.PHONY: help setup run test check drill month bench channels schema clean

help: ## this list
	@echo "Smart Checkout"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: $(VENV)/.development ## create .venv and install, nothing else

run: $(VENV)/.runtime ## start everything; PORT=8000 DATA=var
	@exec $(PY) manage.py up --no-browser --port $(PORT) --data "$(DATA)"

test: $(VENV)/.development ## run every test; ARGS="-k quote -n0"
	@exec $(PY) -m pytest $(ARGS)

check: $(VENV)/.development ## lint, types, import contracts, migrations, API schema
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check . || { echo "run: $(VENV)/bin/ruff format ."; exit 1; }
	@$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint()" > var/lint-imports.log 2>&1 \
		|| { cat var/lint-imports.log; exit 1; }
	@$(OFFLINE) $(PY) -m mypy --no-error-summary .
	@$(OFFLINE) $(PY) manage.py check --fail-level WARNING > /dev/null
	@$(OFFLINE) $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(OFFLINE) $(PY) manage.py spectacular --validate --fail-on-warn --file var/openapi.yaml
	@diff -u docs/openapi.yaml var/openapi.yaml || { echo "the API changed: if that is meant, run: make schema"; exit 1; }
	@echo "check: ok"

drill: $(VENV)/.development ## the fault drill; SEED=7 PAYMENTS=500
	@exec $(PY) -m bench.drill --seed $(SEED) --payments $(PAYMENTS) $(ARGS)

month: $(VENV)/.development ## a month of the past: spoilt, found, repaired, counted; SEED=7
	@exec $(PY) -m bench.month --seed $(SEED) $(ARGS)

channels: $(VENV)/.development ## write docs/channels.md anew, from the contract suite
	@exec $(PY) -m pytest -q -n0 -p tests.channels.page tests/channels/test_contract*.py

bench: $(VENV)/.development ## every benchmark, or one: NAME=webhooks
	@exec $(PY) -m bench $(NAME)

schema: $(VENV)/.development ## write docs/openapi.yaml anew
	@$(OFFLINE) $(PY) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

clean: ## remove .venv and what tools left; data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The first Python that is new enough; PYTHON=… chooses another.
$(VENV)/bin/python:
	@set -e; for candidate in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11; do \
		test -n "$$candidate" && command -v "$$candidate" > /dev/null || continue; \
		"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || continue; \
		"$$candidate" -m venv $(VENV) > /dev/null 2>&1 && exit 0; rm -rf $(VENV); \
		echo "$$candidate can not make a virtual environment: on Debian and Ubuntu, install python3-venv"; exit 1; \
	done; echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python"; exit 1

# Each stamp is newer than the lock it installed, so an unchanged lock installs nothing.
# The lock names every package with its hashes, so pip has nothing left to resolve.
PIP_INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check --no-input --no-compile --no-deps --require-hashes

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@mkdir -p var
	@echo "Installing what the program needs …"
	@$(PIP_INSTALL) --requirement requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt | $(VENV)/bin/python
	@mkdir -p var
	@echo "Installing what the program and its tests need …"
	@$(PIP_INSTALL) --requirement requirements-dev.txt
	@touch $@ $(VENV)/.runtime
