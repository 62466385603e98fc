"""What errors of engines mean, by their status and structure."""

from __future__ import annotations

import pytest

from ssr.core.errors import InvalidRequest, Overloaded, SsrError, TimedOut, Unavailable
from ssr.engines.reply_errors import error_in_stream, reply_error

URL = "http://engine"
VLLM_FULL = b'{"error": {"message": "queue is full", "type": "ServiceUnavailableError", "param": null, "code": 503}}'
SGLANG_FULL = b'{"object": "error", "message": "The request queue is full.", "type": "X", "code": 503}'


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, VLLM_FULL, Overloaded),
        (503, SGLANG_FULL, Overloaded),
        (503, b'{"error": "unhealthy", "error_type": "healthcheck"}', Unavailable),
        (503, b'{"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}', Unavailable),
        (503, b"<html>no healthy upstream</html>", Unavailable),
        (503, b"", Unavailable),
        (503, b"[" * 100_000, Unavailable),
        (500, b"[" * 100_000, Unavailable),
        (500, b'{"error": {"message": [[[]]], "type": 7, "param": {}}}', Unavailable),
        (429, b"", Overloaded),
        (422, b'{"error": "Template error: turns must alternate", "error_type": "template_error"}', InvalidRequest),
    ],
)
def test_what_a_status_means(status: int, body: bytes, error: type[SsrError]) -> None:
    assert type(reply_error(URL, status, body)) is error


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (b'{"error": {"message": "The request queue is full.", "type": "X", "code": 503}}', Overloaded),
        (b'{"error": {"message": "too long", "type": "BadRequestError", "code": 400}}', InvalidRequest),
        (b'{"error": {"message": "slow down", "type": "requests", "code": "429"}}', Overloaded),
        (b'{"error": {"message": "odd", "code": "rate_limit_exceeded"}}', Unavailable),
        (b'{"error": {"message": "no room", "http_status_code": 422}}', InvalidRequest),
        (b'{"error": {"message": "late", "code": 504}}', TimedOut),
        (b'{"error": "out of memory"}', Unavailable),
    ],
)
def test_what_an_error_event_means(event: bytes, error: type[SsrError]) -> None:
    assert type(error_in_stream(URL, event)) is error


@pytest.mark.parametrize(
    ("sent", "seconds"), [(None, 0), ("7", 7), ("-3", 1), ("inf", 1), ("nan", 1), ("Fri, 27 Nov 2026 10:00:00 GMT", 1)]
)
def test_the_delay_that_is_asked_for(sent: str | None, seconds: float) -> None:
    error = reply_error(URL, 429, b"", sent)
    assert isinstance(error, Overloaded)
    assert error.delay_s == seconds


def test_the_field_of_a_template_that_refuses() -> None:
    body = b'{"error": "Template error: roles must alternate", "error_type": "template_error"}'
    error = reply_error(URL, 422, body)
    assert isinstance(error, InvalidRequest)
    assert error.field == "messages"
