"""The replays that are compared: drafters, and settings of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ssr.consensus import ConsensusSettings
from ssr.core.errors import CapabilityMissing, InvalidRequest
from ssr_bench.consensus.recordings import RecordedProblem
from ssr_bench.consensus.replay import AFTER, TOGETHER, ReplayResult, replay
from ssr_bench.consensus.rivals import ArcticSuffix, ConsensusRival, Ngram, NoDraft, Rival, Scan, Suffix


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """`stagger` are distances in tokens between siblings, beside none (together, which is 0 too) and all (one
    after the other).

    `max_draft` is the most that a pass verifies, for every drafter. Raises: InvalidRequest naming the field.
    """

    stagger: tuple[int, ...] = (16,)
    max_draft: int = 8
    settings: ConsensusSettings = field(default_factory=ConsensusSettings)
    sweep: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_draft <= 64:
            raise InvalidRequest("max_draft", "must be 1..64")
        if not all(0 <= one <= 100_000 for one in self.stagger):
            raise InvalidRequest("stagger", "must be numbers of 0..100000")


@dataclass(frozen=True, slots=True)
class Row:
    """One replay. `order` says how the siblings ran."""

    drafter: str
    order: str
    result: ReplayResult


#: (name, how to make one): a replay needs a fresh drafter.
_Maker = tuple[str, Callable[[], Rival]]


def compare(problems: Sequence[RecordedProblem], plan: ComparisonPlan) -> Iterator[Row]:
    """Every drafter in every order; with `sweep`, settings of ours in lock-step instead.

    Raises: InvalidRequest for an `alpha` that has no probabilities to work with.
    """
    if plan.settings.alpha and not any(one.probabilities for problem in problems for one in problem.recordings):
        raise InvalidRequest("alpha", "has no effect: the recordings have no logprobs")
    orders = [("together", TOGETHER)]
    if not plan.sweep:
        orders += [*((f"{one} apart", one) for one in plan.stagger if one), ("one after the other", AFTER)]
    for order, apart in orders:
        for name, make in _swept(plan.settings) if plan.sweep else _drafters(plan.settings):
            yield Row(name, order, replay(problems, make(), plan.max_draft, apart))


def _drafters(settings: ConsensusSettings) -> Iterator[_Maker]:
    """Beside the rivals' defaults what was best of them in tokens a pass, at the price of more drafted tokens."""
    yield "none", NoDraft
    yield "ngram 2-5", partial(Ngram, 2, 5)
    yield "ngram 1-4", partial(Ngram, 1, 4)
    yield "scan of siblings", Scan
    yield "suffix (ours)", Suffix
    yield "suffix (ours), factor 2", partial(Suffix, 24, 2.0, 0.1)
    yield "suffix (ours), factor 4", partial(Suffix, 24, 4.0, 0.05)
    if arctic_installed():
        yield "suffix (arctic)", ArcticSuffix
        yield "suffix (arctic), factor 4", partial(ArcticSuffix, 24, 4.0, 0.05)
    for bound in sorted({0.2, settings.min_confidence, 0.03}, reverse=True):
        name = "consensus" if bound == settings.min_confidence else f"consensus, bound {bound:g}"
        yield name, partial(ConsensusRival.of, replace(settings, min_confidence=bound))
    if settings.history_weight:  # inside an engine it is off unless asked for; suffix trees are of all problems
        yield "consensus, no history", partial(ConsensusRival.of, replace(settings, history_weight=0.0))


def arctic_installed() -> bool:
    try:
        ArcticSuffix()
    except CapabilityMissing:
        return False
    return True


def _swept(settings: ConsensusSettings) -> Iterator[_Maker]:
    """The settings, and each of them changed alone."""
    yield "as set", partial(ConsensusRival.of, settings)
    for name, values in _SWEEP.items():
        for value in values:
            if value != getattr(settings, name):
                yield f"{name} {value}", partial(ConsensusRival.of, replace(settings, **{name: value}))


_SWEEP: dict[str, tuple[Any, ...]] = {
    "orders": ((8, 4, 2, 1), (4, 2), (2, 1), (3, 1), (1,)),
    "pool": (4, 12, 32),
    "sharpness": (1.0, 2.0, 8.0),
    "alpha": (0.0, 0.3, 0.6, 0.9),
    "edits": (0, 1, 2),
    "own_weight": (0.0, 1.0, 4.0),
    "history_weight": (0.0, 0.03, 0.3, 1.0),
    "max_draft": (2, 4, 8),
    "min_confidence": (0.03, 0.05, 0.1, 0.2, 0.4),
    "rest_below": (0.0, 0.1),
}
