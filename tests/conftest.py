"""Makes the tests' own helper modules importable (tests/unit/engine_fakes.py and the like)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("unit", "integration", "faults", "fuzz")]

pytest_plugins = ["fault_scale"]
