from __future__ import annotations

import asyncio

import pytest

from ssr.core.errors import InvalidRequest
from ssr.core.journal import MemoryJournal
from ssr.core.solve import solve
from ssr.core.types import Mode, Options
from ssr_bench.lookahead import LookaheadPlan, compare_lookaheads
from ssr_bench.timed_stages import STEP_TOKENS, StageLatencies, TimedStages
from ssr_bench.virtual_time import run_virtually


def model(rewritten: float, steps: int = 4) -> StageLatencies:
    return StageLatencies(rewritten=rewritten, min_steps=steps, max_steps=steps)


async def test_without_lookahead_a_path_takes_the_sum_of_its_calls() -> None:
    (accepted,) = await compare_lookaheads(LookaheadPlan((0,), jobs=2, paths=1, model=model(0.0)))
    (rewritten,) = await compare_lookaheads(LookaheadPlan((0,), jobs=2, paths=1, model=model(1.0)))
    assert accepted.answer_s.mean == pytest.approx(4 * (0.6 + 0.15))
    assert rewritten.answer_s.mean == pytest.approx(4 * (0.6 + 0.15 + 1.5))
    assert (accepted.drafted_tokens, accepted.wasted_tokens) == (4 * STEP_TOKENS, 0)


async def test_lookaheads_solve_the_same_jobs_in_no_more_time() -> None:
    figures = await compare_lookaheads(LookaheadPlan(jobs=20))
    assert [one.lookahead for one in figures] == [0, 1, 2]
    assert figures[0].time_ratio == 1.0
    for one in figures[1:]:
        assert one.time_ratio == pytest.approx(one.answer_s.mean / figures[0].answer_s.mean)
        assert one.time_ratio <= 1.0 + 1e-9
        assert one.drafted_tokens >= one.wasted_tokens >= 0


async def test_a_lookahead_hides_the_verification_of_accepted_drafts() -> None:
    figures = await compare_lookaheads(LookaheadPlan((0, 1), jobs=1, paths=1, model=model(0.0)))
    # Only the first draft and the last verification are not beside something: 4 x 0.6 + 0.15.
    assert figures[1].answer_s.mean == pytest.approx(4 * 0.6 + 0.15)


def test_every_lookahead_commits_the_same_steps() -> None:
    async def steps(lookahead: int) -> list[str]:
        journal = MemoryJournal()
        options = Options(mode=Mode.SSR, paths=2, early_stop=False, lookahead=lookahead)
        await solve("job", "?", options, TimedStages(StageLatencies(), 3).solving, journal)
        return [step.text for path in journal.run.paths for step in path.steps]

    first, *others = (run_virtually(steps(lookahead)) for lookahead in (0, 1, 2))
    assert any("(again)" in text for text in first)
    assert all(other == first for other in others)


def test_a_draft_that_is_cut_off_counts_in_proportion() -> None:
    stages = TimedStages(model(0.0), seed=0)

    async def main() -> None:
        solving = asyncio.ensure_future(
            solve("job", "?", Options(mode=Mode.SSD, paths=1), stages.solving, MemoryJournal())
        )
        await asyncio.sleep(0.75 + 0.3)  # one step, and half of the next one's draft
        solving.cancel()
        await asyncio.wait([solving])

    run_virtually(main())
    assert stages.count.drafted == pytest.approx(1.5 * STEP_TOKENS)
    assert stages.count.wasted == pytest.approx(0.5 * STEP_TOKENS)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"lookaheads": (0, 5)}, "lookahead"),
        ({"lookaheads": (1, 2)}, "lookahead"),
        ({"jobs": 0}, "jobs"),
        ({"paths": 17}, "paths"),
    ],
)
def test_a_plan_out_of_its_limits_is_refused_by_name(plan: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        LookaheadPlan(**plan)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("latency", "field"),
    [({"draft_s": 0.0}, "draft_s"), ({"rewritten": 1.1}, "rewritten"), ({"min_steps": 5, "max_steps": 4}, "steps")],
)
def test_a_latency_out_of_its_limits_is_refused_by_name(latency: dict[str, float], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        StageLatencies(**latency)  # type: ignore[arg-type]
