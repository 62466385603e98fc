from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from ssr.core.types import NO_STRATEGY, PathContext
from ssr.runtime.process.logs import log_to_stderr
from ssr.runtime.telemetry.log_context import about, about_next_step
from ssr.runtime.telemetry.log_format import JsonLineFormatter, TextFormatter
from ssr.runtime.telemetry.private_texts import WithholdTexts, private, withheld

PROBLEM = "Anna has 3 pears\nand 'buys' 5 more. How many has she now?"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (f"the engine refused: {PROBLEM}!", "the engine refused: [withheld]\n[withheld]!"),
        (f"KeyError: {PROBLEM!r}", 'KeyError: "[withheld]"'),
        ("prompt '...buys' 5 more. How ma' too long", "prompt '...[withheld]' too long"),
        ("Anna has no part in this", "Anna has no part in this"),
    ],
)
def test_quotations_are_taken_out(line: str, left: str) -> None:
    assert withheld(line, [PROBLEM]) == left


def test_short_texts() -> None:
    assert withheld("asked 2 + 5 of it", ["2 + 5"]) == "asked [withheld] of it"
    assert withheld("42 calls, 42 paths", ["42"]) == "42 calls, 42 paths"


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Any:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if request.param == "text" else JsonLineFormatter("drafter", "one"))
    handler.addFilter(WithholdTexts())
    logger = logging.getLogger("ssr.test-private")
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_no_line_quotes_what_its_task_works_on(log: Any) -> None:
    logger, stream = log
    context = PathContext("job-1", 0, PROBLEM, NO_STRATEGY, ("First, 3 + 5 pears are 8 pears.",), 1)
    with about_next_step(context, "So she has eight of them."):
        logger.warning("refused: %s", PROBLEM)
        try:
            raise KeyError(f"First, 3 + 5 pears are 8 pears. {PROBLEM}")
        except KeyError:
            logger.exception("unexpected, behind So she has eight of them.")
    with about("job-1"), private("What is 6 times 7?"):
        logger.warning("%s", "What is 6 times 7?")
    written = stream.getvalue()
    for text in ("pears", "eight of them", "6 times 7"):
        assert text not in written
    assert "Traceback" in written
    assert "KeyError" in written
    logger.warning("elsewhere: %s", PROBLEM)
    assert "pears" in stream.getvalue()
    if written.startswith("{"):
        assert all(json.loads(line) for line in written.splitlines())


def test_a_caller_that_is_gone_fills_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    """gRPC logs a traceback for every status that it cannot send any more."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to_stderr("INFO")
        logging.getLogger("grpc._cython.cygrpc").error("ExecuteBatchError raised in core by servicer method [/x/Y]")
        logging.getLogger("grpc._cython.cygrpc").error("something else")
    finally:
        root.handlers[:], root.level = handlers, level
    written = capsys.readouterr().err
    assert "something else" in written
    assert "ExecuteBatchError" not in written
