"""What a draft, an added token and a pass of all samples cost, by their number and length, in Python and in C++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from time import thread_time_ns

from ssr.consensus import ConsensusSettings, Drafter, NativeDrafter, PassRow
from ssr.consensus.native import native_installed
from ssr.core.errors import InvalidRequest
from ssr_bench.consensus.rivals import ConsensusRival, Rival, Scan
from ssr_bench.statistics import Summary

_VOCABULARY = 2000
_CHANGED = 0.15  #: of a sample's tokens differ from the text that all samples are variants of
_PASS_TOKENS = 3  #: that each sample grows by between two drafts
_LAG_TOKENS = 8  #: that a sample is behind the one before it, up to _MOST_BEHIND of all
_MOST_BEHIND = 128


@dataclass(frozen=True, slots=True)
class LatencyPlan:
    """Groups of `samples` variants of one text, about `tokens` long each; `drafts` are measured at their ends.

    Raises: InvalidRequest naming the field.
    """

    samples: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    tokens: tuple[int, ...] = (500, 2000)
    drafts: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        for field, values, most in (("samples", self.samples, 1024), ("tokens", self.tokens, 100_000)):
            if not values or not all(1 <= value <= most for value in values):
                raise InvalidRequest(field, f"must be numbers of 1..{most}")
        if not 1 <= self.drafts <= 1_000_000:
            raise InvalidRequest("drafts", "must be 1..1000000")


@dataclass(frozen=True, slots=True)
class DraftLatency:
    """Microseconds of CPU time a call; `add_us` is the mean for one token.

    A pass is one call that adds what all samples wrote, and drafts for all of them. `scan_us` is a draft in the obvious
    way.
    """

    drafter: str
    samples: int
    tokens: int
    draft_us: Summary
    drafted: float
    add_us: float
    pass_us: Summary
    row_us: float
    scan_us: Summary


def measure_latency(plan: LatencyPlan, settings: ConsensusSettings | None = None) -> Iterator[DraftLatency]:
    """The drafter in Python, and in C++ where that is installed, for one size of a group after the other."""
    for tokens in plan.tokens:
        for samples in plan.samples:
            texts = variants(plan.seed, samples, tokens + _PASS_TOKENS * (2 * plan.drafts // samples + 4))
            scan: Rival = Scan()
            _fill(scan, texts, tokens)
            scan_us = Summary.of(_drafts(scan, texts, tokens, min(plan.drafts, 50))[0])
            for name, make in _drafters():
                yield _measured(name, make(settings), texts, tokens, plan.drafts, scan_us)


def _drafters() -> Iterator[tuple[str, type[Drafter] | type[NativeDrafter]]]:
    yield "Python", Drafter
    if native_installed():
        yield "C++", NativeDrafter


def _measured(
    name: str,
    drafter: Drafter | NativeDrafter,
    texts: Sequence[Sequence[int]],
    tokens: int,
    drafts: int,
    scan_us: Summary,
) -> DraftLatency:
    ours: Rival = ConsensusRival(drafter)
    _fill(ours, texts, tokens, "before")
    ours.end("before")  # there is a history to look into, as there will be
    add_us = _fill(ours, texts, tokens)
    draft_us, drafted = _drafts(ours, texts, tokens, drafts)
    grown = _PASS_TOKENS * -(-drafts // len(texts))
    pass_us = _passes(drafter, texts, tokens + grown, max(10, drafts // len(texts)))
    row_us = Summary.of(pass_us).p50 / len(texts)
    return DraftLatency(
        name, len(texts), tokens, Summary.of(draft_us), drafted, add_us, Summary.of(pass_us), row_us, scan_us
    )


def _passes(drafter: Drafter | NativeDrafter, texts: Sequence[Sequence[int]], tokens: int, passes: int) -> list[float]:
    """Microseconds of each pass while the samples go on from about `tokens`."""
    taken: list[float] = []
    for number in range(passes):
        rows = []
        for sample, text in enumerate(texts):
            place = (_written(sample, tokens) + _PASS_TOKENS * number) % (len(text) - _PASS_TOKENS)
            rows.append(PassRow(sample, text[place : place + _PASS_TOKENS], 8))
        begun = thread_time_ns()
        drafter.run_pass(rows)
        taken.append((thread_time_ns() - begun) / 1000)
    return taken


def variants(seed: int, samples: int, tokens: int) -> list[list[int]]:
    """Texts that agree in long runs: a text, and copies of it with tokens replaced; frequent tokens are frequent."""
    dice = Random(seed)
    shared = [_token(dice) for _ in range(tokens)]
    return [[_token(dice) if dice.random() < _CHANGED else token for token in shared] for _ in range(samples)]


def _token(dice: Random) -> int:
    return int(_VOCABULARY ** dice.random())  # about Zipf's law


def _fill(rival: Rival, texts: Sequence[Sequence[int]], tokens: int, group: str = "group") -> float:
    """Let the samples grow to about `tokens`, one behind the other, and report the microseconds a token."""
    for sample in range(len(texts)):
        rival.start(group, sample, ())
    begun, added = thread_time_ns(), 0
    for place in range(0, tokens, _PASS_TOKENS):
        for sample, text in enumerate(texts):
            part = text[place : min(place + _PASS_TOKENS, _written(sample, tokens))]
            rival.add(sample, part, None)
            added += len(part)
    return (thread_time_ns() - begun) / 1000 / added


def _written(sample: int, tokens: int) -> int:
    """How far a sample is when the drafts begin."""
    return max(1, tokens - _LAG_TOKENS * sample % _MOST_BEHIND)


def _drafts(rival: Rival, texts: Sequence[Sequence[int]], tokens: int, drafts: int) -> tuple[list[float], float]:
    """Microseconds of each draft while the samples go on, and the tokens of a draft in the mean."""
    taken: list[float] = []
    drafted = grown = 0
    while len(taken) < drafts:
        for sample in range(len(texts)):
            begun = thread_time_ns()
            draft = rival.draft(sample, 8)
            taken.append((thread_time_ns() - begun) / 1000)
            drafted += len(draft)
        for sample, text in enumerate(texts):
            place = _written(sample, tokens) + grown
            rival.add(sample, text[place : place + _PASS_TOKENS], None)
        grown += _PASS_TOKENS
    return taken, drafted / len(taken)
