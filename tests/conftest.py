"""Makes the tests' own helper modules importable (tests/unit/engine_fakes.py and the like)."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path[:0] = [
    str(Path(__file__).parent / folder) for folder in ("unit", "chart", "integration", "faults", "fuzz", "pods")
]

# How long an example takes depends on what else the machine does.
settings.register_profile("ssr", deadline=None)
settings.load_profile("ssr")

pytest_plugins = ["fault_scale"]
