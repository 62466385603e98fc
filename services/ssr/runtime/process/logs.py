"""Where a process's log lines go: standard error, one line each; those of libraries (grpc, asyncio, redis) too."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from ssr.runtime.settings import replica_name
from ssr.runtime.telemetry.log_format import JsonLineFormatter, TextFormatter


def log_to_stderr(level: str, form: Literal["text", "json"] = "text", *, service: str = "") -> None:
    """Everything at `level` ("INFO") and above, as text for people or as JSON for machines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLineFormatter(service, replica_name()) if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
