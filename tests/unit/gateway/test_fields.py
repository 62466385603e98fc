"""Bodies that can be read, and what makes them one request."""

from __future__ import annotations

import pytest

from ssr.gateway.asking import fingerprint_of
from ssr.gateway.errors import ApiError
from ssr.gateway.fields import number, read_json


def test_a_body_is_a_json_object() -> None:
    assert read_json(b' {"a": [1, 2.5, "x", null, true]} ') == {"a": [1, 2.5, "x", None, True]}


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b"{", b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xff", b'{"a":1}x', b"[" * 1_000_000, b'{"a":' * 100_000],
    ids=lambda body: body[:9].decode("latin-1"),
)
def test_what_is_none_is_refused_however_it_is_nested(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_json(body)
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")


def test_a_number_is_finite() -> None:
    with pytest.raises(ApiError):
        number(read_json(b'{"temperature":1e999}'), "temperature")


def test_a_request_is_the_same_in_any_order_of_its_fields_and_as_a_stream() -> None:
    first = fingerprint_of("key", "", {"model": "ssr", "seed": 1, "stream": True})
    assert first == fingerprint_of("key", "", {"seed": 1, "model": "ssr", "stream_options": {}})
    assert len({first, fingerprint_of("other", "", {"model": "ssr", "seed": 1}), fingerprint_of("key", "k", {})}) == 3


def test_numbers_beyond_64_bits_are_refused() -> None:
    with pytest.raises(ApiError) as refused:
        fingerprint_of("", "", read_json(b'{"a":' + b"9" * 40 + b"}"))
    assert refused.value.status == 400
