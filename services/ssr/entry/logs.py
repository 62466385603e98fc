"""Where a process's log lines go: standard error, one line each."""

from __future__ import annotations

import logging
import sys

_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def log_to_stderr(level: str) -> None:
    """Time, level, logger and message of everything at `level` ("INFO") and above."""
    logging.basicConfig(stream=sys.stderr, level=level, format=_FORMAT, force=True)
