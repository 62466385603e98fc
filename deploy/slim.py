"""Makes the environment that runs it small: for images, which are never installed into again.

    /opt/ssr/bin/python slim.py services     all services but the autoscaler
    /opt/ssr/bin/python slim.py autoscaler

It writes the bytecode of what services import when they start and no other, and takes away the tests of packages, pip,
and the library of the hub's transfers, since services fetch no models. `make test-pods` shows that the image works.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
#: What `ssr serve` runs, and what services import later: at the first job, and where traces are on.
SERVICES = (
    "ssr.cli.app",
    "ssr.cli.serve",
    "ssr.cli.solve",
    "ssr.orchestrator.service",
    "ssr.orchestrator.equivalence.worker",
    "ssr.selector.servicer",
    "ssr.drafter.servicer",
    "ssr.verifier.servicer",
    "ssr.engine_server.service",
    "ssr.gateway.service",
    "ssr.runtime.telemetry.otlp",
)
AUTOSCALER = ("ssr.cli.app", "ssr.cli.serve", "ssr.autoscaler.service", "ssr.autoscaler.kubernetes_api")
#: What the autoscaler asks Kubernetes' client for when it begins.
OF_KUBERNETES = ("ApiClient", "AppsV1Api", "CoordinationV1Api", "V1Deployment", "V1Lease", "V1LeaseSpec", "V1Scale")
NEEDLESS = ("hf-xet", "pip", "setuptools")


def main(role: str) -> None:
    if strip := shutil.which("strip"):  # some wheels have their debugging symbols; before any is loaded
        libraries = [str(path) for path in SITE.rglob("*.so")]
        subprocess.run([strip, "--strip-unneeded", *libraries], check=True)
    for name in SERVICES if role == "services" else AUTOSCALER:
        importlib.import_module(name)
    if role == "autoscaler":
        client = importlib.import_module("kubernetes.aio.client")
        for name in OF_KUBERNETES:
            getattr(client, name)
        importlib.import_module("kubernetes.aio.config.incluster_config")
    else:  # compares once, which imports what parsing needs
        equivalent = importlib.import_module("ssr.orchestrator.equivalence.algebra").equivalent
        if not equivalent({"a": "\\frac{1}{2}", "b": "0.5"}):
            raise SystemExit("answers are not compared as they should be")
    for tests in [path for path in SITE.rglob("*") if path.is_dir() and path.name in ("tests", "test", "testing")]:
        if tests.exists() and (tests.name != "testing" or "sympy" not in tests.parts):
            shutil.rmtree(tests)
    subprocess.run([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *NEEDLESS], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
