#!/usr/bin/env bash
# Makes deploy/requirements/*.txt: what the image installs, each file of each package by its hash. Run it after a change of
# pyproject.toml's dependencies or of constraints.txt; it needs uv (pip install uv) and PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() { # lock NAME FROM...
	uv pip compile --quiet "${@:2}" --constraint constraints.txt --generate-hashes --no-annotate --no-header \
		--python-version 3.13 --python-platform linux --no-emit-package ssr-serve --output-file "deploy/requirements/$1.txt"
}
lock services pyproject.toml --extra traces --extra gateway
lock autoscaler pyproject.toml --extra cluster
lock build deploy/requirements/build.in
