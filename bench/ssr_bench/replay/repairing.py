"""What repair could spare, and what it could cost: bounds from recorded samples, without an engine.

For drafts of a problem together, what they share (`core.repair`): its tokens, whether a right sample of either model
reaches the same results (if none does, a path that goes on from them is hardly right), and how much a fresh path of the
target writes until it has reached them, which is the most that going on from them spares.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.agreement import results
from ssr.core.evidence.prior import Prior
from ssr.core.repair import shared_steps
from ssr.core.steps import BOUNDARY
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.replay.method import ReplayMethod
from ssr_bench.replay.packed_rows import read_rows, write_rows
from ssr_bench.replay.pool import PooledProblem, PoolTexts
from ssr_bench.replay.replaying import Replayer
from ssr_bench.replay.summary import bootstrap

SHARED = "shared.jsonl.gz"


@dataclass(frozen=True, slots=True)
class SharedStart:
    """What some drafts of a problem share. `drafts`: their places in the pool; `tokens`: the draft's, 0 for nothing.

    `from_right`: it is of a right draft; `in_right`: a right sample reaches its results. `spared`: the target's tokens
    until it has reached them, a mean over its samples that do; None where none does.
    """

    drafts: tuple[int, ...]
    tokens: int
    from_right: bool
    in_right: bool
    spared: float | None


@dataclass(frozen=True, slots=True)
class RepairBounds:
    """Means over the replays of a set in which the drafts' votes leave doubt, by problems; intervals over them.

    `asked`: the share of replays in which they do. Of those: `shared`, in which drafts share steps; `tokens` and
    `spared`, what these have and spare of a mean target path (0 where nothing is shared). Of those with shared steps:
    `from_right` and `in_right`; and `fresh`, the accuracy of a fresh path of the target on them.
    """

    group: str
    problems: int
    asked: float
    shared: IntervalEstimate
    tokens: float
    spared: IntervalEstimate
    from_right: float
    in_right: IntervalEstimate
    fresh: IntervalEstimate


Starts = Mapping[tuple[str, str], Sequence[SharedStart]]


def shared_starts(problem: PooledProblem, texts: PoolTexts, drafts: int) -> list[SharedStart]:
    """Of each choice of so many drafts."""
    rights = [
        results(BOUNDARY.join(steps))
        for samples, graded in ((texts.drafts, problem.drafts), (texts.targets, problem.targets))
        for steps, sample in zip(samples, graded, strict=True)
        if sample.right
    ]
    found = []
    for chosen in itertools.combinations(range(len(problem.drafts)), drafts):
        number, count = shared_steps([texts.drafts[place] for place in chosen], texts.problem)
        place = chosen[number]
        told = results(BOUNDARY.join(texts.drafts[place][:count]))
        tokens = sum(texts.draft_tokens[place][:count])
        spared = [_until(steps, spent, told) for steps, spent in zip(texts.targets, texts.target_tokens, strict=True)]
        known = [one for one in spared if one is not None] if count else []
        found.append(
            SharedStart(
                chosen,
                tokens,
                bool(count) and problem.drafts[place].right,
                bool(count) and any(told <= one for one in rights),
                round(sum(known) / len(known), 1) if known else None,
            )
        )
    return found


def all_starts(
    problems: Sequence[PooledProblem], texts: Mapping[tuple[str, str], PoolTexts], drafts: int
) -> dict[tuple[str, str], list[SharedStart]]:
    """Of the problems whose texts are there."""
    known = {key: one for one in problems if (key := (one.group, one.id)) in texts}
    return {key: shared_starts(one, texts[key], drafts) for key, one in known.items()}


def _until(steps: Sequence[str], tokens: Sequence[int], told: frozenset[str]) -> int | None:
    """The tokens of a path until it has reached all results; None if it never does."""
    reached: frozenset[str] = frozenset()
    for place, step in enumerate(steps):
        reached |= results(step)
        if told <= reached:
            return sum(tokens[: place + 1])
    return None


def repair_bounds(
    group: str,
    problems: Sequence[PooledProblem],
    starts: Starts,
    method: ReplayMethod,
    prior_of: Callable[[PooledProblem], Prior],
) -> RepairBounds:
    """Raises: KeyError for a problem without starts."""
    path = sum(s.tokens for p in problems for s in p.targets) / sum(len(p.targets) for p in problems)
    replayers: dict[int, Replayer] = {}
    rows = []
    for problem in problems:
        prior = prior_of(problem)
        replayer = replayers.setdefault(id(prior), Replayer(prior))
        every = starts[problem.group, problem.id]
        doubtful = [
            one for one in every if not replayer.suffices(method, [problem.drafts[at] for at in one.drafts], problem)
        ]
        sharing = [one for one in doubtful if one.tokens]
        right = sum(sample.right for sample in problem.targets) / len(problem.targets)
        rows.append(_Row.of(len(every), doubtful, sharing, path, right))
    count = len(rows)
    return RepairBounds(
        group,
        count,
        sum(row.asked for row in rows) / count,
        bootstrap(count, lambda at: _ratio(rows, at, "sharing", "asked")),
        _ratio(rows, range(count), "tokens", "asked"),
        bootstrap(count, lambda at: _ratio(rows, at, "spared", "asked")),
        _ratio(rows, range(count), "from_right", "sharing"),
        bootstrap(count, lambda at: _ratio(rows, at, "in_right", "sharing")),
        bootstrap(count, lambda at: _ratio(rows, at, "fresh", "sharing")),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A problem's shares of its replays, and sums over those."""

    asked: float
    sharing: float
    tokens: float
    spared: float
    from_right: float
    in_right: float
    fresh: float

    @classmethod
    def of(
        cls, count: int, doubtful: Sequence[SharedStart], sharing: Sequence[SharedStart], path: float, right: float
    ) -> _Row:
        return cls(
            len(doubtful) / count,
            len(sharing) / count,
            sum(one.tokens for one in sharing) / path / count,
            sum(one.spared or 0.0 for one in sharing) / path / count,
            sum(one.from_right for one in sharing) / count,
            sum(one.in_right for one in sharing) / count,
            len(sharing) / count * right,
        )


def _ratio(rows: Sequence[_Row], at: Sequence[int], upper: str, lower: str) -> float:
    whole = sum(getattr(rows[place], lower) for place in at)
    return sum(getattr(rows[place], upper) for place in at) / whole if whole else 0.0


def write_starts(starts: Starts, file: Path) -> None:
    """A line a problem; the same bytes for the same ones."""
    rows = (
        [*key, [[one.drafts, one.tokens, int(one.from_right), int(one.in_right), one.spared] for one in found]]
        for key, found in starts.items()
    )
    write_rows(rows, file)


def read_starts(file: Path) -> dict[tuple[str, str], list[SharedStart]]:
    """Raises: InvalidRequest naming the file and line."""
    return dict(read_rows(file, _starts, "is no problem's shared steps"))


def _starts(group: object, name: object, rows: Sequence[Any]) -> tuple[tuple[str, str], list[SharedStart]]:
    return (str(group), str(name)), [_start(*row) for row in rows]


def _start(drafts: Any, tokens: int, from_right: int, in_right: int, spared: float | None) -> SharedStart:
    return SharedStart(tuple(drafts), tokens, bool(from_right), bool(in_right), spared)
