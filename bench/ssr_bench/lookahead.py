"""Drafting ahead under latency models: the core's own loop with timed stages, in virtual time, for each lookahead."""

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

#: A draft five times and two and a half times as fast as the target, and many and few rewrites.
MODELS = tuple(StageLatencies(draft_s=draft_s, rewritten=share) for draft_s in (0.3, 0.6) for share in (0.3, 0.1))


@dataclass(frozen=True, slots=True)
class LookaheadPlan:
    """Under each model, each lookahead (None: adaptive) solves the same `jobs` jobs of `paths` drafted paths.

    With one path the mode is ssd, else ssr with the early stop. Raises: InvalidRequest naming the field that is out of
    its limits.
    """

    lookaheads: tuple[int | None, ...] = (0, 1, None)
    jobs: int = 200
    paths: int = 1
    models: tuple[StageLatencies, ...] = MODELS

    def __post_init__(self) -> None:
        if not self.lookaheads or not all(0 <= (value or 0) <= MAX_LOOKAHEAD for value in self.lookaheads):
            raise InvalidRequest(
                "lookahead", f"must be numbers within 0..{MAX_LOOKAHEAD} or adaptive, such as 0,adaptive"
            )
        check_within("jobs", self.jobs, 1, 100_000)
        check_within("paths", self.paths, 1, MAX_PATHS)


@dataclass(frozen=True, slots=True)
class LookaheadFigures:
    """One lookahead's outcome under one model.

    `time_ratio` is the mean time to the answer over that of the target alone with the same paths; `drafted_tokens` and
    `wasted_tokens` are a job's, those of drafts that were cut off in proportion; `accounted_tokens` is what its ledger
    has of them as wasted.
    """

    model: StageLatencies
    lookahead: int | None
    answer_s: Summary
    time_ratio: float
    drafted_tokens: float
    wasted_tokens: float
    accounted_tokens: float

    @property
    def wasted_share(self) -> float:
        return share(self.wasted_tokens, self.drafted_tokens)


async def compare_lookaheads(plan: LookaheadPlan) -> tuple[LookaheadFigures, ...]:
    """All lookaheads under all models. Takes real time only to compute."""
    return await asyncio.to_thread(_compared, plan)


def _compared(plan: LookaheadPlan) -> tuple[LookaheadFigures, ...]:
    figures = []
    for model in plan.models:
        alone = [run_virtually(_job(plan, model, Mode.PARALLEL, 0, seed)) for seed in range(plan.jobs)]
        alone_s = Summary.of([run.answer_s for run in alone]).mean
        mode = Mode.SSD if plan.paths == 1 else Mode.SSR
        for lookahead in plan.lookaheads:
            runs = [run_virtually(_job(plan, model, mode, lookahead, seed)) for seed in range(plan.jobs)]
            figures.append(_figures(model, lookahead, runs, alone_s))
    return tuple(figures)


@dataclass(frozen=True, slots=True)
class _JobRun:
    answer_s: float
    drafted: float
    wasted: float
    accounted: int


async def _job(plan: LookaheadPlan, model: StageLatencies, mode: Mode, lookahead: int | None, seed: int) -> _JobRun:
    stages = TimedStages(model, seed)
    options = Options(mode=mode, paths=plan.paths, seed=seed, lookahead=lookahead)
    began = asyncio.get_running_loop().time()
    outcome = await solve(f"bench-{seed}", "?", options, stages.solving, MemoryJournal())
    elapsed_s = asyncio.get_running_loop().time() - began
    return _JobRun(elapsed_s, stages.count.drafted, stages.count.wasted, outcome.run.ledger.wasted_tokens)


def _figures(model: StageLatencies, lookahead: int | None, runs: Sequence[_JobRun], alone_s: float) -> LookaheadFigures:
    answer_s = Summary.of([run.answer_s for run in runs])
    return LookaheadFigures(
        model=model,
        lookahead=lookahead,
        answer_s=answer_s,
        time_ratio=share(answer_s.mean, alone_s),
        drafted_tokens=share(sum(run.drafted for run in runs), len(runs)),
        wasted_tokens=share(sum(run.wasted for run in runs), len(runs)),
        accounted_tokens=share(sum(run.accounted for run in runs), len(runs)),
    )
