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


def plan_of(lookaheads: tuple[int | None, ...], latency: StageLatencies, jobs: int = 1) -> LookaheadPlan:
    return LookaheadPlan(lookaheads, jobs=jobs, models=(latency,))


async def test_without_lookahead_a_path_takes_the_sum_of_its_calls() -> None:
    (accepted,) = await compare_lookaheads(plan_of((0,), model(0.0)))
    (rewritten,) = await compare_lookaheads(plan_of((0,), model(1.0)))
    assert accepted.answer_s.mean == pytest.approx(4 * (0.6 + 0.15))
    assert rewritten.answer_s.mean == pytest.approx(4 * (0.6 + 0.15 + 1.5))
    assert (accepted.drafted_tokens, accepted.wasted_tokens) == (4 * STEP_TOKENS, 0)
    assert rewritten.time_ratio == pytest.approx(rewritten.model.strict_ratio)


async def test_a_lookahead_hides_the_verification_of_accepted_drafts() -> None:
    (figures,) = await compare_lookaheads(plan_of((1,), model(0.0)))
    # Only the first draft and the last verification are not beside something: 4 x 0.6 + 0.15.
    assert figures.answer_s.mean == pytest.approx(4 * 0.6 + 0.15)


@pytest.mark.parametrize("draft_s", [0.3, 0.6])
@pytest.mark.parametrize("rewritten", [0.1, 0.3])
async def test_drafting_comes_within_five_per_cent_of_perfect_overlap(draft_s: float, rewritten: float) -> None:
    latency = StageLatencies(draft_s=draft_s, rewritten=rewritten, min_steps=16, max_steps=16)
    strict, adaptive = await compare_lookaheads(plan_of((0, None), latency, jobs=40))
    # What was really rewritten in these jobs follows from the time that strict stepping took.
    count = (strict.answer_s.mean - 16 * (draft_s + latency.verify_s)) / latency.rewrite_s
    perfect_s = strict.answer_s.mean - (16 - count) * latency.verify_s
    assert adaptive.answer_s.mean <= 1.05 * perfect_s
    assert adaptive.wasted_share <= 0.2
    assert adaptive.accounted_tokens == pytest.approx(adaptive.wasted_tokens, rel=0.05, abs=1)


@pytest.mark.parametrize("rewritten", [0.5, 0.8])
@pytest.mark.parametrize("draft_s", [0.05, 0.15])
async def test_waste_stays_below_its_share_whatever_the_drafts_speed(draft_s: float, rewritten: float) -> None:
    latency = StageLatencies(draft_s=draft_s, rewritten=rewritten, min_steps=40, max_steps=40)
    (adaptive,) = await compare_lookaheads(plan_of((None,), latency, jobs=20))
    assert 0 < adaptive.wasted_share <= 0.22


def test_every_lookahead_commits_the_same_steps() -> None:
    async def steps(lookahead: int | None) -> list[str]:
        journal = MemoryJournal()
        options = Options(mode=Mode.SSR, paths=2, early_stop=False, lookahead=lookahead)
        await solve("job", "?", options, TimedStages(StageLatencies(), 3).solving, journal)
        return [step.text for path in journal.run.paths for step in path.steps]

    first, *others = (run_virtually(steps(lookahead)) for lookahead in (0, 1, 2, None))
    assert any("(again)" in text for text in first)
    assert all(other == first for other in others)


def test_a_draft_that_is_cut_off_counts_in_proportion() -> None:
    stages = TimedStages(model(0.0), seed=0)

    async def main() -> None:
        solving = asyncio.ensure_future(
            solve("job", "?", Options(mode=Mode.SSD, paths=1, lookahead=0), stages.solving, MemoryJournal())
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
        ({"lookaheads": ()}, "lookahead"),
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
