"""Agreement of siblings: what counts as reached, when it decides, and that the verifier is asked only elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from tree_models import TOKENS, MemoryJournal, TreeModels, many, run

from ssr.core.agreement import agreement_score, results
from ssr.core.stages import Written
from ssr.core.types import Call, CallKind, Options, PathContext, PathStatus, Source, Step


def test_results_have_one_spelling() -> None:
    text = "5 + 4 = 9, so $1,200 = 1200.00\nand x = \\$3.50; 2 = 2"
    assert results(text) == {"9", "1200", "3.5", "2"}


@pytest.mark.parametrize(
    ("siblings", "score"),
    [
        (["3 + 4 = 7", "it is = 7"], 9 * 0.82),
        (["3 + 4 = 7", "it is = 8"], 9 * 0.62),
        (["it is = 8", "it is = 9"], 9 * 0.23),
        (["3 + 4 = 7"], None),
        (["3 + 4 = 7", "nothing yet"], None),
    ],
)
def test_the_share_of_siblings_decides(siblings: list[str], score: float | None) -> None:
    found = agreement_score("4 + 3 = 7", [], siblings)
    assert found == (score if score is None else pytest.approx(score))


def test_siblings_that_are_behind_do_not_count() -> None:
    assert agreement_score("7 + 1 = 8", ["3 + 4 = 7"], ["3 + 4 = 7", "4 + 3 = 7"]) is None


def test_a_step_without_a_result_is_undecided() -> None:
    assert agreement_score("Let us think.", [], ["= 7", "= 7"]) is None


class Counting(TreeModels):
    """Every path writes `3 + 4 = 7`; paths 1 and 2 are done before path 0 begins."""

    async def write(self, context: PathContext, options: Options) -> Written:
        if context.path == 0 and not context.steps:
            for _ in range(400):
                await asyncio.sleep(0)
        step = Step(len(context.steps), f"By way {context.path}: 3 + 4 = 7. \\boxed{{7}}", Source.DRAFT, TOKENS)
        return Written(step, (Call(CallKind.DRAFT, "small", 1, 50, 40, TOKENS),))


@pytest.mark.parametrize(("scorer", "judged"), [("agreement+judge", {1, 2}), ("judge", {0, 1, 2})])
async def test_where_siblings_agree_nobody_is_asked(scorer: str, judged: set[int]) -> None:
    models = Counting([1, 1, 1])
    outcome = await run(models, many(3, 0, scorer=scorer), MemoryJournal())
    assert {context.path for context, _ in models.judged} == judged
    assert [path.status for path in outcome.run.paths] == [PathStatus.ANSWERED] * 3
    score = outcome.run.paths[0].steps[0].score
    assert score == (pytest.approx(7.38) if scorer == "agreement+judge" else 8.0)


async def test_a_threshold_above_what_agreement_is_worth_asks() -> None:
    models = Counting([1, 1, 1])
    await run(models, many(3, 0, scorer="agreement", threshold=8.0))
    assert {context.path for context, _ in models.judged} == {0, 1, 2}
