"""Budgets of a whole run: max_steps is exact, max_tokens is found out behind a step, and neither costs an answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_models import OPTIONS, MemoryJournal, TreeModels, many, run

from ssr.core.outcome import conclude
from ssr.core.run import Decision, PathEnded, StepCommitted
from ssr.core.solve import LimitReached
from ssr.core.stages import Written
from ssr.core.types import Mode, Options, PathContext, PathStatus, StopRule


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    max_steps=st.integers(1, 20),
    pace=st.integers(0, 10**6),
    lookahead=st.integers(0, 2),
)
def test_max_steps_is_exact_however_the_paths_race(
    lengths: list[int], max_steps: int, pace: int, lookahead: int
) -> None:
    stages, journal = TreeModels(lengths, pace=pace), MemoryJournal()
    options = many(len(lengths), lookahead, max_steps=max_steps)
    needed = sum(lengths)
    if max_steps >= needed:
        asyncio.run(run(stages, options, journal))
    else:
        with pytest.raises(LimitReached, match=f"^{max_steps} of max_steps={max_steps} steps are committed$"):
            asyncio.run(run(stages, options, journal))
    assert journal.run.committed_steps == min(needed, max_steps)
    assert len(stages.judged) == min(needed, max_steps), "a step was judged that could not be committed"


@settings(max_examples=40, deadline=None)
@given(kept=st.integers(1, 14), max_steps=st.integers(1, 11), pace=st.integers(0, 10**6))
def test_max_steps_is_exact_behind_a_crash(kept: int, max_steps: int, pace: int) -> None:
    journal, options = MemoryJournal(), many(3, 1, max_steps=max_steps)
    with pytest.raises(LimitReached):
        asyncio.run(run(TreeModels([4, 4, 4], pace=pace), options, journal))
    resumed = MemoryJournal(journal.decisions[:kept])
    with pytest.raises(LimitReached):
        asyncio.run(run(TreeModels([4, 4, 4], pace=pace + 1), options, resumed))
    assert resumed.run.committed_steps == max_steps


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    max_tokens=st.integers(1, 200),
    pace=st.integers(0, 10**6),
)
def test_max_tokens_is_passed_by_one_step_a_path_at_most(lengths: list[int], max_tokens: int, pace: int) -> None:
    stages, journal = TreeModels(lengths, pace=pace), MemoryJournal()
    try:
        asyncio.run(run(stages, many(len(lengths), 0, max_tokens=max_tokens), journal))
    except LimitReached:
        assert journal.run.ledger.generated_tokens >= max_tokens
    assert journal.run.ledger.generated_tokens < max_tokens + 11 * len(lengths)


@pytest.mark.parametrize("limits", [{"max_steps": 3}, {"max_tokens": 33}])
@pytest.mark.parametrize("mode", [Mode.SSR, Mode.PARALLEL_SPM])
async def test_a_run_resumed_beyond_its_budget_writes_no_other_step(limits: dict[str, int], mode: Mode) -> None:
    """The process died between the last step and the run's end."""
    full = MemoryJournal()
    await run(TreeModels([4, 4]), replace(many(2, 0), mode=mode), full)
    steps = [i for i, decision in enumerate(full.decisions) if isinstance(decision, StepCommitted)]
    journal = MemoryJournal(full.decisions[: steps[3] + 1])
    stages = TreeModels([4, 4])
    with pytest.raises(LimitReached, match=next(iter(limits))):
        await run(stages, many(2, 2, **limits), journal)
    assert stages.begun == []
    assert len(journal.decisions) == steps[3] + 1


async def test_a_path_that_fails_gives_its_step_back() -> None:
    """Two paths, one step left: it is claimed by the path that fails, and the other one takes it."""
    stages = TreeModels([1, 1], broken={(0, 0): 1})
    outcome = await run(stages, many(2, 0, max_steps=1))
    assert [path.status for path in outcome.run.paths] == [PathStatus.FAILED, PathStatus.ANSWERED]


async def test_the_last_step_may_be_the_answer() -> None:
    outcome = await run(TreeModels([3]), replace(OPTIONS, max_steps=3))
    assert outcome.answer == "0"


@pytest.mark.parametrize("max_steps", [1, 2])
@pytest.mark.parametrize("pace", range(10))
async def test_a_vote_that_the_last_steps_settle_is_no_limit(max_steps: int, pace: int) -> None:
    """Path 0 answers with its first step, while path 1 waits for a step, or takes the last one."""

    class PathZeroFirst(TreeModels):
        async def write(self, context: PathContext, options: Options) -> Written:
            while context.path == 1 and not self.judged:
                await asyncio.sleep(0)
            return await super().write(context, options)

    options = many(2, 0, max_steps=max_steps, stop_rule=StopRule.FAST_1)
    outcome = await run(PathZeroFirst([1, 9], pace=pace), options)
    assert outcome.answer == "0"


@pytest.mark.parametrize("stopped_behind", ["StepCommitted", "PathEnded"])
async def test_an_answer_that_is_committed_when_the_run_is_cut_off_still_votes(stopped_behind: str) -> None:
    full = MemoryJournal()
    await run(TreeModels([2, 2]), many(2, 0), full)
    end = next(i for i, decision in enumerate(full.decisions) if isinstance(decision, PathEnded))
    kept: list[Decision] = full.decisions[: end + (stopped_behind == "PathEnded")]
    journal = MemoryJournal(kept)
    stages = TreeModels([2, 2])
    outcome = await conclude("job", "p", Options(), stages.stages(), journal, "the deadline has passed")
    answered = [path for path in outcome.run.paths if path.status is PathStatus.ANSWERED]
    assert answered
    assert outcome.answer == answered[0].answer
    assert journal.run == outcome.run
