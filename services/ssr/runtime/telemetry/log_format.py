"""How a log line is written: for people, or as one JSON object a line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from ssr.runtime.telemetry.log_context import ids
from ssr.runtime.telemetry.tracing import current_span

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class TextFormatter(logging.Formatter):
    """Time, level, logger, message, and at the end what the line is about: [job-x/2/5] is step 5 of its path 2."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        reported = [str(part) for part in ids() if part not in ("", None)]
        return super().formatMessage(record) + (f" [{'/'.join(reported)}]" if reported else "")


class JsonLineFormatter(JsonFormatter):
    """The fields time (RFC 3339, UTC), level, logger, message, service, replica; job, path, step and trace_id where the
    line is about such; exception with its traceback; and whatever `extra` a call of the logger gives.
    """

    def __init__(self, service: str, replica: str) -> None:
        super().__init__(json_ensure_ascii=False, rename_fields={"exc_info": "exception"})
        self._process = {"service": service, "replica": replica}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        log_data["level"], log_data["logger"], log_data["message"] = record.levelname, record.name, record.message
        log_data |= self._process
        log_data |= {name: value for name, value in ids()._asdict().items() if value not in ("", None)}
        if trace_id := current_span().trace_id:
            log_data["trace_id"] = trace_id
        super().add_fields(log_data, record, message_dict)
