"""Where a process's log lines go: standard error, one line each; those of libraries (grpc, asyncio, redis) too."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from ssr.runtime.settings import replica_name
from ssr.runtime.telemetry.log_format import JsonLineFormatter, TextFormatter
from ssr.runtime.telemetry.private_texts import WithholdTexts


def log_to_stderr(
    level: str, form: Literal["text", "json"] = "text", *, service: str = "", texts: bool = False
) -> None:
    """Everything at `level` ("INFO") and above, as text for people or as JSON for machines.

    `texts`: lines may quote problems, answers and steps.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLineFormatter(service, replica_name()) if form == "json" else TextFormatter())
    handler.addFilter(_caller_is_there)
    if not texts:
        handler.addFilter(WithholdTexts())
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _caller_is_there(record: logging.LogRecord) -> bool:
    """Not gRPC's own traceback about a status that nobody is there any more to receive: callers could fill the log."""
    return not (record.name.startswith("grpc._cython") and str(record.msg).startswith("ExecuteBatchError"))
