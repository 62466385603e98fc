"""Drafting ahead under a latency model: the core's own loop with timed stages, in virtual time, for each lookahead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.errors import InvalidRequest
from ssr.core.journal import MemoryJournal
from ssr.core.limits import MAX_LOOKAHEAD, MAX_PATHS, check_within
from ssr.core.solve import solve
from ssr.core.types import Mode, Options
from ssr_bench.statistics import Summary, share
from ssr_bench.timed_stages import StageLatencies, TimedStages
from ssr_bench.virtual_time import run_virtually


@dataclass(frozen=True, slots=True)
class LookaheadPlan:
    """Each lookahead solves the same `jobs` jobs of `paths` paths, in mode ssr with the early stop.

    Raises: InvalidRequest naming the field that is out of its limits.
    """

    lookaheads: tuple[int, ...] = (0, 1, 2)
    jobs: int = 200
    paths: int = 5
    model: StageLatencies = StageLatencies()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not self.lookaheads or not all(0 <= value <= MAX_LOOKAHEAD for value in self.lookaheads):
            raise InvalidRequest("lookahead", f"must be numbers within 0..{MAX_LOOKAHEAD}, such as 0,1,2")
        if self.lookaheads[0] != 0:
            raise InvalidRequest("lookahead", "must begin with 0, which the others are compared with")
        check_within("jobs", self.jobs, 1, 100_000)
        check_within("paths", self.paths, 1, MAX_PATHS)


@dataclass(frozen=True, slots=True)
class LookaheadFigures:
    """One lookahead's outcome: seconds to the answer, draft tokens a job and those of them that no verification saw,
    and the mean time as a ratio to lookahead 0."""

    lookahead: int
    answer_s: Summary
    drafted_tokens: float
    wasted_tokens: float
    time_ratio: float

    @property
    def wasted_share(self) -> float:
        return share(self.wasted_tokens, self.drafted_tokens)


async def compare_lookaheads(plan: LookaheadPlan) -> tuple[LookaheadFigures, ...]:
    """All lookaheads on the same jobs. Takes real time only to compute."""
    return await asyncio.to_thread(_compared, plan)


def _compared(plan: LookaheadPlan) -> tuple[LookaheadFigures, ...]:
    figures: list[LookaheadFigures] = []
    for lookahead in plan.lookaheads:
        runs = [run_virtually(_job(plan, lookahead, seed)) for seed in range(plan.jobs)]
        figures.append(_figures(lookahead, runs, figures[0].answer_s.mean if figures else None))
    return tuple(figures)


@dataclass(frozen=True, slots=True)
class _JobRun:
    answer_s: float
    drafted: float
    wasted: float


async def _job(plan: LookaheadPlan, lookahead: int, seed: int) -> _JobRun:
    stages = TimedStages(plan.model, seed)
    options = Options(mode=Mode.SSR, paths=plan.paths, seed=seed, lookahead=lookahead)
    began = asyncio.get_running_loop().time()
    await solve(f"bench-{seed}", "?", options, stages.solving, MemoryJournal())
    elapsed_s = asyncio.get_running_loop().time() - began
    return _JobRun(elapsed_s, stages.count.drafted, stages.count.wasted)


def _figures(lookahead: int, runs: Sequence[_JobRun], baseline_s: float | None) -> LookaheadFigures:
    answer_s = Summary.of([run.answer_s for run in runs])
    return LookaheadFigures(
        lookahead=lookahead,
        answer_s=answer_s,
        drafted_tokens=share(sum(run.drafted for run in runs), len(runs)),
        wasted_tokens=share(sum(run.wasted for run in runs), len(runs)),
        time_ratio=1.0 if baseline_s is None else share(answer_s.mean, baseline_s),
    )
