"""The images that the pods run from, built here: no registry is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from chart_manifests import CHART, ROOT
from podman import podman

BASE = "localhost/ssr-base:trixie"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
SERVICES, AUTOSCALER = f"localhost/ssr:{VERSION}", f"localhost/ssr-autoscaler:{VERSION}"
VALKEY: str = yaml.safe_load((CHART / "values.yaml").read_text())["redis"]["image"]
#: Where this machine keeps the authorities that it trusts: one behind a proxy has more than Debian's.
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


@cache
def wanted_images() -> None:
    """Builds the images, once; skips the test where it is not wanted or cannot be run."""
    if "SSR_PODS" not in os.environ:
        pytest.skip("pods are run by `make test-pods`, as root: it builds images and takes minutes")
    if lacking := _missing_tools():
        pytest.skip(f"pods need {', '.join(lacking)} (on Debian, as root: apt install podman runc buildah mmdebstrap)")
    if os.environ["SSR_PODS"] != "as-built":
        with TemporaryDirectory() as folder:
            _build_images(Path(folder))


def _build_images(folder: Path) -> None:
    """Those that are not there yet; the services' always, since the code has changed.

    Raises: RuntimeError with what a tool complains of.
    """
    if subprocess.run(["podman", "image", "exists", BASE]).returncode:
        _build_base(folder)
    if subprocess.run(["podman", "image", "exists", VALKEY]).returncode:
        _build_valkey(folder)
    _run(["make", "--directory", str(ROOT), "image", "BUILDER=buildah", f"BASE={BASE}", f"IMAGE={SERVICES}"])


def _build_base(folder: Path) -> None:
    """Debian with Python, as the Dockerfile wants it."""
    archive = folder / "base.tar"
    without_docs = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man", "info")]
    _run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,python3-venv,ca-certificates"),
            *(*without_docs, f"--customize-hook=copy-in {_TRUSTED} {_TRUSTED.parent}", "trixie", str(archive)),
        ]
    )
    podman("import", archive, BASE)


def _build_valkey(folder: Path) -> None:
    """Debian's Valkey under the name of the one that the chart runs."""
    recipe = folder / "valkey"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text(
        f"FROM {BASE}\n"
        "RUN apt-get -qq update && apt-get -qq install --no-install-recommends valkey-server valkey-tools >/dev/null\n"
    )
    _run(["buildah", "build", "--quiet", "--tag", VALKEY, str(recipe)])


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, "BUILDAH_ISOLATION": "chroot"}, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _missing_tools() -> list[str]:
    """What this machine lacks for running pods; empty where it can."""
    tools = ("podman", "runc", "buildah", "mmdebstrap", "openssl", "make")
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    return lacking if os.geteuid() == 0 else [*lacking, "root"]
