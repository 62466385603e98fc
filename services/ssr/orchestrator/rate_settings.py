"""Limits a minute, as settings write them: "acme=jobs:60/tokens:100000,*=jobs:10"."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from ssr.orchestrator.queue.rates import Rate

_WHAT = ("jobs", "paths", "tokens")
_MAX = 10**9


def rates_of(text: str) -> dict[str, Rate]:
    """By name, or "*" for all that are not named. Raises: ValueError."""
    rates = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, limits = item.partition("=")
        if not (equals and name.strip()):
            raise ValueError(f"{item!r} is not NAME=jobs:N/paths:N/tokens:N")
        rates[name.strip()] = Rate(**dict(_units(limit) for limit in limits.split("/")))
    return rates


def _units(limit: str) -> tuple[str, int]:
    what, _, number = (part.strip() for part in limit.partition(":"))
    if what not in _WHAT or not (number.isascii() and number.isdecimal() and 0 < int(number) <= _MAX):
        raise ValueError(f"{limit!r} is not jobs:N, paths:N or tokens:N with N within 1..{_MAX}")
    return what, int(number)


def _checked(text: str) -> str:
    rates_of(text)
    return text


#: A setting of this form.
NamedRates = Annotated[str, AfterValidator(_checked)]
