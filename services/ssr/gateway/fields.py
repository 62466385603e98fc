"""Reading the fields of a JSON body, strictly: nothing is ignored silently."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from ssr.gateway.errors import ApiError, refused, unsupported

#: Texts that end an answer's content, at most.
_MAX_STOPS = 4
_MAX_INTEGER = 2**63 - 1


def read_json(body: bytes) -> dict[str, Any]:
    """The object that a body is. Raises: ApiError."""
    try:
        value = from_json(body, allow_inf_nan=False)  # fast, and strict: hostile nesting is refused
    except ValueError as error:
        raise ApiError(400, f"the body is no JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json")
    return value


def check_known(body: Mapping[str, Any], known: Collection[str], neutral: Mapping[str, Sequence[object]]) -> None:
    """`neutral`: fields that are not supported, and their values that ask for nothing. Raises: ApiError."""
    for name, value in body.items():
        if name in neutral:
            if value is not None and not any(_same(value, allowed) for allowed in neutral[name]):
                raise unsupported(name)
        elif name not in known:
            raise refused(name, "is unknown", "unknown_parameter")


def _same(value: object, allowed: object) -> bool:
    return value == allowed and isinstance(value, bool) == isinstance(allowed, bool)


def text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refused(name, "must be a text")
    return value


def truth(body: Mapping[str, Any], name: str) -> bool | None:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise refused(name, "must be true or false")
    return value


def integer(body: Mapping[str, Any], name: str, low: int, high: int = _MAX_INTEGER) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        limit = f"within {low}..{high}" if high != _MAX_INTEGER else f"of at least {low}"
        raise refused(name, f"must be a whole number {limit}")
    return value


def number(body: Mapping[str, Any], name: str) -> float | None:
    """Its limits are the API's own to check."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refused(name, "must be a number")
    return float(value)


def stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or len(found) > _MAX_STOPS or not all(isinstance(s, str) and s for s in found):
        raise refused("stop", f"must be a text, or a list of up to {_MAX_STOPS} that are not empty")
    return tuple(found)


def list_limit(given: str | None, default: int, most: int) -> int:
    """`limit` of a query."""
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= 6 and 1 <= int(given) <= most):
        raise refused("limit", f"must be within 1..{most}")
    return int(given)


def list_object(data: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A page of a list, as clients read it."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": list(data), "first_id": first, "last_id": last, "has_more": has_more}
