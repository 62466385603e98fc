"""A domain: what problems of one kind are asked, answered and compared with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from ssr.core.errors import InvalidRequest
from ssr.core.prompts import MATHEMATICS, DomainPrompts
from ssr.core.strategy_sets import StrategySet, parse_strategy_set

#: Whether two answers are the same, given the caller's tests; None: let mathematics decide.
Compare = Callable[[str, str, str], Awaitable[bool | None]]


class Verify(Protocol):
    """Whether an answer passes the caller's tests; None: they do not say."""

    def __call__(self, answer: str, tests: str) -> Awaitable[bool | None]: ...


@dataclass(frozen=True, slots=True)
class Domain:
    """`extract`: the answer, from the box ("": none) and all that the path says; None: what is in the box.

    `strategies` is its strategy set, named as the domain is; none: the server's default applies.
    """

    name: str
    prompts: DomainPrompts = MATHEMATICS
    strategies: StrategySet = ()
    extract: Callable[[str, str], str] | None = None
    compare: Compare | None = None
    verify: Verify | None = None


def read_prompts(name: str, text: str) -> DomainPrompts:
    """Prompts from YAML with the fields of `DomainPrompts`. Raises: InvalidRequest naming the domain."""
    fields: Any = yaml.safe_load(text)
    try:
        return DomainPrompts(**{key: " ".join(str(value).split()) for key, value in fields.items()})
    except (TypeError, AttributeError) as error:
        raise InvalidRequest(
            "domain", f"{name}: prompts.yaml needs {', '.join(DomainPrompts.__annotations__)}"
        ) from error


def read_strategies(name: str, text: str) -> StrategySet:
    """Raises: InvalidRequest naming the domain."""
    return parse_strategy_set(name, text)
