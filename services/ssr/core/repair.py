"""Repair: where drafts disagree, the target goes on from the steps that they share, and does not write them again.

A step is shared when at least half of the other drafts reach all of its results (`core.agreement`), wherever they do.
Steps without a result belong to the shared ones around them. What is gone on from ends with a shared result, before an
answer, and before a false sum: that drafts share one makes it no truer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from ssr.core.agreement import results
from ssr.core.answers import boxed
from ssr.core.arithmetic import false_claim, has_own_arithmetic
from ssr.core.path_stream import PathStream
from ssr.core.run import Run
from ssr.core.stages import Written
from ssr.core.steps import CutText, join_path
from ssr.core.types import Options, PathStatus, Source, Step

_ENDED = frozenset({PathStatus.ANSWERED, PathStatus.NO_ANSWER, PathStatus.STALLED, PathStatus.EXHAUSTED})


def shared_steps(drafts: Sequence[Sequence[str]], problem: str) -> tuple[int, int]:
    """Which draft's steps are shared the furthest, and how many of them: (0, 0) where none is.

    The furthest: the most results; of equals, the first draft. `drafts` has the steps' texts of each.
    """
    reached = [results(join_path(steps)) for steps in drafts]
    trusting = has_own_arithmetic(problem)
    found = [
        (-len(told), number, count)
        for number, steps in enumerate(drafts)
        for count, told in [_shared(steps, [one for at, one in enumerate(reached) if at != number], trusting=trusting)]
        if count
    ]
    if not found:
        return 0, 0
    _, number, count = min(found)
    return number, count


def _shared(steps: Sequence[str], others: Sequence[frozenset[str]], *, trusting: bool) -> tuple[int, frozenset[str]]:
    """How many of a draft's first steps are shared, and their results. `trusting`: sums are not looked at."""
    count, told = 0, frozenset[str]()
    for place, step in enumerate(steps):
        if boxed(step) is not None or not (trusting or false_claim(step) is None):
            break
        reached = results(step)
        if reached and 2 * sum(reached <= one for one in others) < max(1, len(others)):
            break
        if reached and not isinstance(step, CutText):
            count, told = place + 1, told | reached
    return count, told


def start_of(run: Run, options: Options, problem: str) -> tuple[Step, ...]:
    """The steps that a repaired path begins with; () where drafts share none.

    The same however often it is asked once the drafts have ended, so a run that is taken up again goes on alike.
    """
    drafts = [path for path in run.paths[: options.draft_paths] if path.status in _ENDED]
    if len(drafts) < 2:
        return ()
    number, count = shared_steps([[step.text for step in path.steps] for path in drafts], problem)
    return tuple(replace(step, source=Source.SHARED, ends_turn=False) for step in drafts[number].steps[:count])


class RepairedPath:
    """The shared steps, which cost nothing, then what the target writes behind them. As `PathStream`."""

    def __init__(self, path: int, start: Sequence[Step], rest: PathStream) -> None:
        self._path, self._start, self._rest = path, start, rest

    async def __aenter__(self) -> Self:
        await self._rest.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._rest.__aexit__(*exc)

    async def next(self, run: Run) -> Written:
        """See `PathStream.next`."""
        done = len(run.paths[self._path].steps)
        return Written(self._start[done]) if done < len(self._start) else await self._rest.next(run)
