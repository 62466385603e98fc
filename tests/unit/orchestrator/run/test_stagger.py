"""Paths that begin one behind the other, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from tree_models import MemoryJournal

from ssr.core.answers import ANYBODY, Asked
from ssr.core.outcome import Outcome
from ssr.core.path_stream import StepByStep
from ssr.core.run import PathEnded, Selected
from ssr.core.solve import solve
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.types import NO_STRATEGY, Mode, Options, PathContext, PathStatus, Source, Step
from ssr.orchestrator.run.stagger import staggered
from ssr_bench.virtual_time import run_virtually

STEP_S = 2.0


class _TimedModels(StepByStep):
    """Every path writes two steps of `STEP_S` seconds, the second with an answer."""

    def __init__(self) -> None:
        self.began_s: dict[int, list[float]] = {}

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        raise AssertionError("nothing is selected here")

    async def write(self, context: PathContext, options: Options) -> Written:
        self.began_s.setdefault(context.path, []).append(asyncio.get_running_loop().time())
        await asyncio.sleep(STEP_S)
        index = len(context.steps)
        return Written(Step(index, "\\boxed{7}" if index else "first", Source.TARGET, tokens=3), ())

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        raise AssertionError("nothing is verified here")

    async def same(self, first: str, second: str, asked: Asked = ANYBODY) -> bool:
        return first == second


def _solve(stages: _TimedModels, stagger_s: float, journal: MemoryJournal, *, early_stop: bool = False) -> Outcome:
    options = Options(mode=Mode.PARALLEL, paths=3, early_stop=early_stop)
    parts = staggered(Stages(stages, stages, stages, stages, stages), stagger_s)
    return run_virtually(solve("job", "?", options, parts, journal))


@pytest.mark.parametrize(("stagger_s", "began_s"), [(0.0, (0.0, 0.0, 0.0)), (1.5, (0.0, 1.5, 3.0))])
def test_each_path_begins_behind_the_one_before(stagger_s: float, began_s: tuple[float, ...]) -> None:
    stages = _TimedModels()
    outcome = _solve(stages, stagger_s, MemoryJournal())
    assert outcome.answer == "7"
    assert stages.began_s == {path: [begin, begin + STEP_S] for path, begin in enumerate(began_s)}


def test_a_path_in_reserve_begins_at_once_when_it_is_wanted() -> None:
    stages = _TimedModels()
    options = Options(mode=Mode.SSR, paths=3, reserve=1)
    writer = staggered(Stages(stages, stages, stages, stages, stages), 1.5).writer
    context = PathContext("job", 0, "?", NO_STRATEGY, (), 0)

    async def first_steps() -> None:
        for path in (1, 2):
            async with aclosing(writer.stream(replace(context, path=path), options)) as steps:
                await anext(steps)

    run_virtually(first_steps())
    assert stages.began_s == {1: [1.5], 2: [1.5 + STEP_S]}


def test_a_path_that_has_steps_goes_on_at_once() -> None:
    journal = MemoryJournal()
    _solve(_TimedModels(), 0.0, journal)
    kept = [one for one in journal.decisions if not isinstance(one, PathEnded)]
    assert isinstance(kept[0], Selected)
    stages = _TimedModels()
    _solve(stages, 9.0, MemoryJournal(kept[:3]))  # paths 0 and 1 have a step
    assert {path: begins[0] for path, begins in stages.began_s.items()} == {0: 0.0, 1: 0.0, 2: 18.0}


def test_a_vote_that_is_settled_spares_the_paths_that_have_not_begun() -> None:
    stages = _TimedModels()
    outcome = _solve(stages, 4.5, MemoryJournal(), early_stop=True)
    assert [path.status for path in outcome.run.paths] == [PathStatus.ANSWERED] * 2 + [PathStatus.STOPPED]
    assert set(stages.began_s) == {0, 1}
