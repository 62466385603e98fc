# SSR: `make demo` shows it at work, `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The newest Python that is 3.11 or later, unless told: make PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml bench/pyproject.toml constraints.txt hatch_build.py $(wildcard proto/ssr/*/*.proto)
# Not compiled: Python does that with what is imported, a third of the time of installing it all.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

# What the environment says against bytecode would have every process compile all modules again, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

##@ Use
.PHONY: help setup demo
help: ## List what can be made
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Create .venv with the command ssr in it

demo: setup ## Fetch the models, start everything, solve three problems, stop everything
	@$(BIN)/ssr demo

##@ Develop
# A file's tests in one process: they share what is started or rendered once. Two, for two cores.
PYTEST = $(BIN)/python -m pytest --dist loadfile --numprocesses
.PHONY: fuzz test test-unit test-bench test-chart test-integration test-faults lint type imports proto-check proto format clean
test: test-unit test-bench test-chart test-integration ## Install what the tests need and run all of them

test-unit: $(VENV)/.ready-dev ## The inner loop: what needs no server (about a minute on two cores)
	$(PYTEST) 2 tests/unit

test-bench: $(VENV)/.ready-dev ## What measures: statistics, figures, replays, days in virtual time
	$(PYTEST) 2 tests/bench

test-chart: $(VENV)/.ready-dev ## The chart by the real Helm engine, Kubernetes' schemas and promtool
	$(PYTEST) 2 tests/chart

# Three, since these wait half of their time (with four, those that start whole stacks starve each other); the longest first.
SERVING := tests/faults tests/e2e tests/integration
test-integration: $(VENV)/.ready-dev ## What starts servers and processes: tests/integration, e2e and faults (short)
	@$(BIN)/ssr models pull smollm2-135m || echo "The small test model cannot be fetched: its tests are skipped."
	$(PYTEST) 3 --no-loadscope-reorder $(SERVING) || { [ $$? = 1 ] && echo "Failed beside others; again, alone:" && \
		$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(SERVING); }

fuzz: $(VENV)/.ready-dev ## 30,000 inputs that nobody should send, to all methods and over the wire (FUZZ="INPUTS SEED")
	$(BIN)/python tests/fuzz $(FUZZ)

test-faults: $(VENV)/.ready-dev ## Kill and freeze everything at random for minutes (SSR_FAULTS_SEED=n: otherwise)
	SSR_FAULTS=full $(BIN)/python -m pytest tests/faults

lint: $(VENV)/.ready-dev type imports proto-check chart-check docs-check ## All linters: ruff, mypy, import-linter, generated files, the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.ready-dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.ready-dev ## The one-way order of imports
	$(BIN)/lint-imports

proto-check: ## buf: the .proto files' form, and that they break nobody who was built with the last release's (needs npm)
	@command -v npm >/dev/null || { echo "no npm: the .proto files are not checked"; exit 0; }; \
	cd proto && npm ci --no-audit --no-fund --silent && npx --no-install buf lint && \
	for released in released/*.binpb; do npx --no-install buf breaking --against $$released || exit 1; done

proto: $(VENV)/.ready-dev ## Build the protobuf code again
	$(BIN)/python hatch_build.py

format: $(VENV)/.ready-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

##@ The native drafter (optional; needs a C++ compiler)
.PHONY: native wheels
native: $(VENV)/.ready ## Build and install it into .venv
	@if command -v $${CXX:-g++} >/dev/null; then $(PIP_INSTALL) ./native && echo "Installed the native drafter"; \
	else echo "no C++ compiler (g++): drafting stays in Python, and the native drafter's tests are skipped"; fi

PYTHONS ?= python3.11 python3.12 python3.13 python3.14
wheels: ## Its wheels into native/wheels, from where images take them: for each of PYTHONS, from 3.12 on one for all later; manylinux with auditwheel
	@command -v $${CXX:-g++} >/dev/null || { echo "error: no C++ compiler; on Debian and Ubuntu: apt install g++" >&2; exit 1; }
	@rm -rf build/wheels native/wheels/*.whl; mkdir -p build/wheels; built=; \
	for p in $(PYTHONS); do \
		version=$$($$p -c 'import pip, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		[ "$$version" != 3.11 ] && [ -n "$$stable" ] && continue; \
		echo "Building with Python $$version"; \
		$$p -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheels ./native || exit 1; \
		built=1; [ "$$version" = 3.11 ] || stable=1; \
	done; [ -n "$$built" ] || { echo "error: no Python 3.11 or later with pip among $(PYTHONS)" >&2; exit 1; }; \
	[ -n "$$stable" ] || echo "no Python 3.12 or later among $(PYTHONS): there is no wheel for vLLM's, which drafts in Python then"
	@for wheel in build/wheels/*.whl; do \
		auditwheel repair --wheel-dir native/wheels $$wheel 2>/dev/null || cp $$wheel native/wheels; \
	done; ls native/wheels/*.whl

##@ Document
# Not --quiet: that hides warnings from --strict. Material for MkDocs announces a successor at every build.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
.PHONY: docs docs-check reference pictures results results-check
docs: $(VENV)/.ready-dev ## Build the documentation's site into build/site
	$(MKDOCS) build --strict

docs-check: $(VENV)/.ready-dev docs ## Whether it builds, and its generated pages are up to date
	$(BIN)/python docs/generate --check

reference: $(VENV)/.ready-dev ## Make the pages of settings, commands and protocol again
	$(BIN)/python docs/generate

pictures: $(VENV)/.ready-dev ## Draw the pictures of the gateway's page again, in a Chromium
	SSR_PICTURES=docs/build/images $(BIN)/python -m pytest -k pictures tests/integration/gateway/test_gateway_page.py

results: $(VENV)/.ready-dev ## Make the figures in README and docs that are results again, from the records in docs/results
	$(BIN)/python docs/generate/results.py

results-check: $(VENV)/.ready-dev ## Whether they are what the records give (minutes)
	$(BIN)/python docs/generate/results.py --check

##@ Deploy
IMAGE ?= ssr:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' services/ssr/__init__.py)
# The autoscaler's, which has Kubernetes' client: the same name with -autoscaler behind it.
IMAGE_AUTOSCALER := $(firstword $(subst :, ,$(IMAGE)))-autoscaler:$(lastword $(subst :, ,$(IMAGE)))
# What builds images: docker, podman or buildah, whichever is there. BASE: what they are built on.
BUILDER ?= $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool)),$(tool))))
BASE ?=
# docker keeps layers, and finds the file of what to ignore, by itself
IGNORE = $(if $(filter docker,$(BUILDER)),,--layers --ignorefile deploy/Dockerfile.dockerignore)
IMAGE_BUILD = $(BUILDER) build $(if $(BASE),--build-arg BASE=$(BASE)) --file deploy/Dockerfile
.PHONY: chart chart-check image kind-up kind-down
chart: $(VENV)/.ready-dev ## Make the chart's schema and table of values again
	$(BIN)/python helm/generate.py

chart-check: $(VENV)/.ready-dev ## Whether they are up to date
	$(BIN)/python helm/generate.py --check

image: ## Build the images (with docker, podman or buildah; BASE=image: on that)
	@test -n "$(BUILDER)" || { echo "error: no docker, podman or buildah to build images with" >&2; exit 1; }
	$(IMAGE_BUILD) --target services --tag $(IMAGE) $(IGNORE) .
	$(IMAGE_BUILD) --target autoscaler --tag $(IMAGE_AUTOSCALER) $(IGNORE) .

.PHONY: lock test-pods
lock: ## What the images install, by hash (needs uv)
	deploy/lock.sh

test-pods: $(VENV)/.ready-dev ## Build the images and run the kind preset's pods from them (root, podman)
	SSR_PODS=1 $(BIN)/python -m pytest tests/pods -rs

kind-up: image ## A kind cluster with SSR on simulated engines (needs Docker, kind, kubectl, helm)
	kind get clusters | grep -qx ssr || kind create cluster --config deploy/kind.yaml
	kind load docker-image --name ssr $(IMAGE) $(IMAGE_AUTOSCALER)
	helm upgrade --install ssr helm/ssr --kube-context kind-ssr -n ssr --create-namespace -f helm/ssr/presets/kind.yaml \
		--set image.repository=$(firstword $(subst :, ,$(IMAGE))),image.tag=$(lastword $(subst :, ,$(IMAGE))) --wait --timeout 5m
	helm test ssr --kube-context kind-ssr -n ssr

kind-down: ## Remove that cluster
	kind delete cluster --name ssr

##@ Clean
clean: ## Remove everything that was made here (models stay)
	rm -rf $(VENV) services/ssr/externalscaler services/ssr/v1 dist bench/dist build/wheels .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build/site

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "error: SSR needs Python 3.11 or later; install it, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Creating $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.ready: $(SOURCES) | $(BIN)/python
	@echo "Installing SSR (a minute or two)"
	@$(PIP_INSTALL) --editable '.[local,gateway]' --editable bench
	@touch $@

# All at once, and so the other too.
$(VENV)/.ready-dev: $(SOURCES) | $(BIN)/python
	@echo "Installing SSR with what the tests and linters need (two minutes)"
	@$(PIP_INSTALL) --editable '.[local,gateway,cluster,dev,docs]' --editable bench
	@touch $(VENV)/.ready $@
