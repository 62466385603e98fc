"""Log lines for people and for machines, and what they are about."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime

import pytest

from ssr.core.types import NO_STRATEGY, PathContext
from ssr.runtime.telemetry.log_context import about, about_next_step, ids
from ssr.runtime.telemetry.log_format import JsonLineFormatter, TextFormatter
from ssr.runtime.telemetry.tracing import NO_SPAN, make_current, remote_span

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


def record(message: str = "it is %s", *args: object, **more: object) -> logging.LogRecord:
    return logging.LogRecord("ssr.x", logging.WARNING, "x.py", 1, message, args or ("done",), None, **more)  # type: ignore[arg-type]


def as_json(line: logging.LogRecord) -> dict[str, object]:
    text = JsonLineFormatter("drafter", "pod-1").format(line)
    assert "\n" not in text
    return json.loads(text)  # type: ignore[no-any-return]


def test_a_json_line_has_what_every_line_has() -> None:
    line = as_json(record())
    assert datetime.fromisoformat(str(line.pop("time"))).utcoffset() is not None
    assert line == {
        "level": "WARNING",
        "logger": "ssr.x",
        "message": "it is done",
        "service": "drafter",
        "replica": "pod-1",
    }


def test_a_line_reports_what_it_is_about() -> None:
    context = PathContext("job-1", 0, "2 + 2?", NO_STRATEGY, ("one", "two"), 1)
    with about("job-1"):
        whole = as_json(record())
        with about_next_step(context):
            step, text = as_json(record()), TextFormatter().format(record())
        assert ids().path is None, "the inner block has ended"
    assert (whole["job"], "path" in whole) == ("job-1", False)
    assert (step["job"], step["path"], step["step"]) == ("job-1", 0, 2)
    assert text.endswith("WARNING ssr.x it is done [job-1/0/2]")
    assert TextFormatter().format(record()).endswith("it is done")


def test_a_line_within_a_span_has_its_trace() -> None:
    make_current(remote_span(f"00-{TRACE_ID}-b7ad6b7169203331-01"))
    line = as_json(record())
    make_current(NO_SPAN)
    assert line["trace_id"] == TRACE_ID
    assert "trace_id" not in as_json(record())


def test_an_exception_is_one_field_and_extra_fields_are_kept() -> None:
    try:
        raise ValueError("no\nluck")
    except ValueError as error:
        failed = record()
        failed.exc_info = (ValueError, error, error.__traceback__)
    failed.attempt = 3
    line = as_json(failed)
    assert "Traceback" in str(line["exception"])
    assert "no\nluck" in str(line["exception"])
    assert line["attempt"] == 3
    assert line["message"] == "it is done"


@pytest.mark.parametrize("name", ["one", "two"])
async def test_a_task_is_about_what_made_it(name: str) -> None:
    async def look() -> str:
        await asyncio.sleep(0)
        return ids().job

    with about(name):
        inside = asyncio.create_task(look())
    outside = asyncio.create_task(look())
    assert (await inside, await outside) == (name, "")
