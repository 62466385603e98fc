"""Methods of other distributions, found by entry point: one small object each, in the group of its kind.

| kind | group | the entry point names |
|---|---|---|
| scorer | ssr.scorers | an object with `judge` (`ssr.verifier.scoring.Scorer`) |
| estimate | ssr.estimates | how sure the votes make each answer: `(Sequence[PathVote]) -> Sequence[float]` |
| aggregate | ssr.aggregates | one score, 0..1, of a path's step scores: `(Sequence[float]) -> float` |
| strategy set | ssr.strategy_sets | the set's YAML text, or what gives it when called |
| domain | ssr.domains | a `ssr.core.domain.Domain` |
| data set | ssr.datasets | an async function that gives rows of {id, problem, answer} |

Only the installed packages' metadata is looked at until a method is used, once in a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ssr.core.errors import InvalidRequest


class MethodKind(StrEnum):
    """What a method is."""

    SCORER = "scorer"
    ESTIMATE = "estimate"
    AGGREGATE = "aggregate"
    STRATEGY_SET = "strategy set"
    DOMAIN = "domain"
    DATASET = "data set"

    @property
    def group(self) -> str:
        """Of its entry points."""
        return _GROUPS[self]


_GROUPS = {
    MethodKind.SCORER: "ssr.scorers",
    MethodKind.ESTIMATE: "ssr.estimates",
    MethodKind.AGGREGATE: "ssr.aggregates",
    MethodKind.STRATEGY_SET: "ssr.strategy_sets",
    MethodKind.DOMAIN: "ssr.domains",
    MethodKind.DATASET: "ssr.datasets",
}


@cache
def found_methods(kind: MethodKind) -> Mapping[str, EntryPoint]:
    """Those of other distributions, by name."""
    return {point.name: point for point in entry_points(group=kind.group)}


@cache
def method_named(kind: MethodKind, name: str) -> Any:
    """The object. Raises: InvalidRequest when there is none of that name, or it cannot be imported."""
    point = found_methods(kind).get(name)
    if point is None:
        raise InvalidRequest(kind.replace(" ", "_"), f"{name!r:.80} is unknown, and no installed package has it")
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InvalidRequest(kind.replace(" ", "_"), f"{name} of {point.value} cannot be loaded: {error}") from error
