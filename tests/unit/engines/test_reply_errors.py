"""What errors of engines mean, by their status and structure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

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


TOO_LONG = [
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 200.", {}),
    (400, "This model's maximum context length is 200 tokens.", {"param": "input_tokens"}),
    (400, "However, your prompt contains 9000 characters", {"param": "input_text"}),
    (400, "The decoder prompt is longer than the maximum model length of 200. Make sure that `max_model_len` is", {}),
    (400, "The input (300 tokens) is longer than the model's context length (200).", {}),
    (400, "Requested token count exceeds the model's maximum context length of 200", {}),
    (400, "the request exceeds the available context size", {"type": "exceed_context_size_error"}),
    (500, "Input prompt is too big compared to KV size.", {"type": "server_error"}),
    (400, "Input length 300 exceeds the maximum allowed input length of 200 tokens.", {}),
    (400, "too many", {"code": "context_length_exceeded", "type": "invalid_request_error"}),
    (400, "Please reduce the length of the messages or completion", {}),
    (413, "Request Entity Too Large", {}),
    (413, "Prompt contains 300 tokens, too large for model with 200 maximum context length", {}),
]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("status", "message", "more"), TOO_LONG)
def test_a_prompt_that_does_not_fit(status: int, message: str, more: dict[str, str], flat: bool) -> None:
    """A path ends with what it has then, and does not fail."""
    body = {"message": message, **more}
    error = reply_error(URL, status, json.dumps(body if flat else {"error": body}).encode())
    assert isinstance(error, InvalidRequest)
    assert error.field == "prompt"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "`temperature` must be positive"),
        (400, "cache_salt: String should have at most 1024 characters"),
        (400, "Expected a value <= 5, but got 20 instead."),
        (500, "CUDA out of memory"),
        (503, "no context window manager is up"),
    ],
)
def test_other_errors_are_not_about_the_prompt(status: int, message: str) -> None:
    error = reply_error(URL, status, json.dumps({"error": {"message": message}}).encode())
    assert getattr(error, "field", "") != "prompt"


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (b'{"error": {"message": "The request queue is full.", "type": "X", "code": 503}}', Overloaded),
        (b'{"error": {"message": "too long", "type": "BadRequestError", "code": 400}}', InvalidRequest),
        (b'{"error": {"message": "slow down", "type": "requests", "code": "429"}}', Overloaded),
        (b'{"error": {"message": "odd", "code": "odd"}}', Unavailable),
        (b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}', Overloaded),
        (b'{"error": {"message": "too much", "type": "x", "code": "context_length_exceeded"}}', InvalidRequest),
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


def test_a_delay_until_a_time_to_come() -> None:
    error = reply_error(URL, 503, VLLM_FULL, format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True))
    assert isinstance(error, Overloaded)
    assert 86_000 < error.delay_s <= 86_400


PAGE = (
    f"<!DOCTYPE html><html><style>{'p {margin: 0}' * 400}</style><h1>Bad Request</h1><p>unknown field &quot;top_k&quot;"
)
ECHOED = [
    {"type": "missing", "loc": ["body", "n"], "msg": "Field required", "input": {"prompt": "priority " * 400}},
    {"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted", "input": -1},
]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (PAGE.encode(), 'Bad Request unknown field "top_k"'),
        (json.dumps({"detail": ECHOED}).encode(), "body.top_k: Extra inputs are not permitted"),
        (json.dumps({"detail": [{"loc": 1, "msg": 2}, 3]}).encode(), ": 2"),
        (json.dumps({"detail": "no top_k here"}).encode(), "no top_k here"),
        (json.dumps([{"loc": ["body", "x" * 300]}, {"loc": ["body", "top_k"]}]).encode(), "top_k"),
        (b"no top_k here", "no top_k here"),
    ],
)
def test_what_an_error_says_in_any_shape(body: bytes, said: str) -> None:
    message = str(reply_error(URL, 422, body))
    assert said in message
    assert "margin" not in message
    assert "priority" not in message


def test_the_field_of_a_template_that_refuses() -> None:
    body = b'{"error": "Template error: roles must alternate", "error_type": "template_error"}'
    error = reply_error(URL, 422, body)
    assert isinstance(error, InvalidRequest)
    assert error.field == "messages"
