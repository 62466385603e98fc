"""Recorded steps judged again: which ones, how often, and what is made of the scores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_fakes import FakeEngine
from evaluation_records import SSD, drafted, path, record, step

from ssr.core.acceptance import ScorerName
from ssr.core.errors import CapabilityMissing, Conflict, InvalidRequest
from ssr.core.types import Call, CallKind, Mode, PathStatus, Strategy
from ssr.engines.base import ANYONE, Likelihood, NextToken, Origin, TokenLogprob
from ssr.verifier.scoring import JudgedStep
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.record import PathRecord, Record
from ssr_bench.evaluation.rescoring import RESCORED, PastPath, Rescoring, StepScore, opened_scores, past_paths
from ssr_bench.evaluation.scorer_comparison import ScorerComparison, compare, grids, rank_correlation

POOLS = {"competition": (Strategy("A", "Algebra", "Use x."), Strategy("B", "Cases", ""))}
MODES = (Mode.DRAFT, Mode.SSD, Mode.SSR)
JUDGE, ARITHMETIC = ScorerName.JUDGE, ScorerName.ARITHMETIC


class Judge(FakeEngine):
    """Says Yes with the probability that the test gives to a step's text; remembers what it was asked about."""

    yes: dict[str, float]

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        self.prompts.append(prompt)
        await asyncio.sleep(0)
        return NextToken((TokenLogprob("Yes", -0.1), TokenLogprob("No", -2.4)), 60, 40)


def with_steps(*texts: str, correct: bool = True, index: int = 0, strategy: str = "A") -> PathRecord:
    """All drafted, as in mode draft."""
    made = drafted(*[9.0] * len(texts), correct=correct)
    steps = tuple(one.model_copy(update={"text": text}) for one, text in zip(made.steps, texts, strict=True))
    return made.model_copy(update={"steps": steps, "index": index, "strategy": strategy})


def run_of(*paths: PathRecord, problem: str = "p0", **changes: Any) -> Record:
    return record(SSD, problem, paths=paths, **{"job_id": f"job-{problem}", **changes})


def score(scorer: ScorerName, past: PastPath, number: int, value: float, **changes: Any) -> StepScore:
    return StepScore(
        **{"model": "fake", "scorer": scorer, "job_id": past.job_id, "path": past.index, "step": number, "score": value,
           "seconds": 0.5, **changes}
    )  # fmt: skip


def test_the_drafted_steps_of_paths_that_ended_are_taken_with_their_context() -> None:
    (past,) = past_paths([run_of(with_steps("1 + 1 = 2", "2 + 2 = 4"))], MODES, POOLS)
    assert (past.problem, past.job_id, past.index, past.correct) == ("d/p0", "job-p0", 0, True)
    first, second = past.steps
    assert (first.context.problem, first.context.strategy.hint, first.context.steps) == ("?", "Use x.", ())
    assert (second.index, second.text, second.context.steps) == (1, "2 + 2 = 4", ("1 + 1 = 2",))


def test_what_the_target_wrote_is_left_out_unless_all_are_wanted() -> None:
    mixed = path(step(0, score=8.0), step(1, score=9.0, draft_score=2.0), step(2))
    assert [one.index for one in past_paths([run_of(mixed)], MODES, POOLS)[0].steps] == [0]
    assert [one.index for one in past_paths([run_of(mixed)], MODES, POOLS, all_steps=True)[0].steps] == [0, 1, 2]


@pytest.mark.parametrize("status", [PathStatus.STOPPED, PathStatus.FAILED])
def test_paths_without_an_outcome_other_modes_and_lost_runs_are_left_out(status: PathStatus) -> None:
    stopped = with_steps("x").model_copy(update={"status": status})
    assert past_paths([run_of(stopped)], MODES, POOLS) == []
    assert past_paths([run_of(with_steps("x"))], (Mode.SSR,), POOLS) == []
    assert past_paths([run_of(with_steps("x"), status="failed")], MODES, POOLS) == []


def test_a_strategy_that_nobody_knows() -> None:
    with pytest.raises(InvalidRequest, match="pools: no strategy 'Z' of pool 'competition' is known"):
        past_paths([run_of(with_steps("x", strategy="Z"))], MODES, POOLS)


async def rescored(folder: Path, engine: FakeEngine, paths: list[PastPath], *scorers: ScorerName) -> int:
    """How many judgements were made."""
    reported: list[StepScore] = []
    rescoring = Rescoring(scorers, JudgedStep(engine), "fake", reported.append)
    with opened_scores(folder) as scores:
        missing = rescoring.missing(paths, scores)
        try:
            await rescoring.run(paths, scores, concurrency=3)
        finally:
            assert len(reported) <= missing
    return len(reported)


async def test_every_scorer_judges_every_step_once_whatever_interrupts(tmp_path: Path) -> None:
    paths = past_paths(
        [run_of(with_steps("1 + 1 = 2", "2 + 2 = 5"), problem=f"p{number}") for number in range(4)], MODES, POOLS
    )

    class Dying(Judge):
        async def next_token(
            self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
        ) -> NextToken:
            if len(self.prompts) >= 3:
                raise CapabilityMissing("dead")
            return await super().next_token(prompt, top_n=top_n, answers=answers, affinity=affinity, origin=origin)

    with pytest.raises(CapabilityMissing, match="dead"):
        await rescored(tmp_path, Dying(), paths, JUDGE, ARITHMETIC)
    lines = (tmp_path / RESCORED).read_bytes().count(b"\n")
    with (tmp_path / RESCORED).open("ab") as file:
        file.write(b'{"model": "fa')  # as if it had been killed within a line
    engine = Judge()
    assert 0 < await rescored(tmp_path, engine, paths, JUDGE, ARITHMETIC) == 16 - lines
    assert await rescored(tmp_path, engine, paths, JUDGE, ARITHMETIC) == 0
    assert len(engine.prompts) <= 8
    with opened_scores(tmp_path) as scores:
        rejected = {key[-1] for key, one in scores.known.items() if one.rejection}
        assert (len(scores.known), rejected) == (16, {1})


async def test_an_engine_that_cannot_do_it_names_the_scorer(tmp_path: Path) -> None:
    class Without(FakeEngine):
        async def likelihood(
            self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE
        ) -> Likelihood:
            raise CapabilityMissing("no")

    with pytest.raises(CapabilityMissing, match="scorer likelihood"):
        await rescored(tmp_path, Without(), past_paths([run_of(with_steps("x"))], MODES, POOLS), ScorerName.LIKELIHOOD)


def test_a_file_that_is_in_use_or_broken(tmp_path: Path) -> None:
    with opened_scores(tmp_path), pytest.raises(Conflict, match="at work"), opened_scores(tmp_path):
        pass
    (tmp_path / RESCORED).write_text('{"model": "m"}\n')
    with pytest.raises(InvalidRequest, match=r"line 1: scorer"), opened_scores(tmp_path):
        pass
    with pytest.raises(InvalidRequest, match="cannot be written"), opened_scores(tmp_path / "none"):
        pass


def compared(outcomes: list[bool], judge: list[tuple[float, float]], rejected: set[int]) -> ScorerComparison:
    """Two steps a path; arithmetic rejects the last step of the paths in `rejected`."""
    paths = past_paths(
        [run_of(with_steps("a", "b", correct=right), problem=f"p{n}") for n, right in enumerate(outcomes)], MODES, POOLS
    )
    call = Call(CallKind.SCORE, "fake", 1000, 100, 60, 1)
    given = []
    for number, (past, values) in enumerate(zip(paths, judge, strict=True)):
        for at, value in enumerate(values):
            given.append(score(JUDGE, past, at, value, calls=(call,)))
            false = at == 1 and number in rejected
            given.append(
                score(ARITHMETIC, past, at, 0.0 if false else 9.0, rejection="1 = 2" if false else "", seconds=0)
            )
    return compare("fake", (JUDGE, ARITHMETIC), paths, {one.key: one for one in given})


def test_auc_cost_and_rejections_by_hand() -> None:
    found = compared([True, True, False, False], [(9, 8), (1, 6), (9, 7), (9, 1)], {2, 1})
    assert (found.paths, found.right, found.steps) == (4, 2, 8)
    judge, arithmetic = found.results
    values = {title: value.value for title, value in judge.aucs.items() if value}
    assert values == {"last step": 0.75, "mean": 0.5, "lowest": 0.625}
    assert (judge.prompt_tokens, judge.generated_tokens, judge.seconds, judge.rejected) == (40, 1, 0.5, 0)
    assert (arithmetic.prompt_tokens, arithmetic.seconds) == (0, 0)
    assert (arithmetic.rejected, arithmetic.rejected_wrong) == (2, 1)
    assert arithmetic.mean_score == pytest.approx(9 * 6 / 8)
    assert found.likeness[JUDGE, JUDGE] == pytest.approx(1)


def test_only_paths_that_all_scorers_have_judged_count() -> None:
    paths = past_paths([run_of(with_steps("a"), problem=f"p{n}") for n in range(2)], MODES, POOLS)
    given = [score(JUDGE, paths[0], 0, 5), score(ARITHMETIC, paths[0], 0, 9), score(JUDGE, paths[1], 0, 5)]
    found = compare("fake", (JUDGE, ARITHMETIC), paths, {one.key: one for one in given})
    assert found.paths == found.steps == 1
    assert compare("other model", (JUDGE,), paths, {one.key: one for one in given}).paths == 0


def test_the_tables_have_a_row_for_each_scorer() -> None:
    tables: tuple[Grid, ...] = grids(compared([True, False], [(9, 8), (2, 6)], {1}))
    assert [[row[0] for row in table.rows] for table in tables] == [["judge", "arithmetic"]] * 2
    assert "8" not in tables[0].rows[0][6]
    assert "100%" in tables[0].rows[1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 0.5),
        ([1, 1, 2], [1, 2, 3], 0.866),
        ([1, 1, 1], [1, 2, 3], None),
        ([1], [1], None),
        ([], [], None),
    ],
)
def test_spearmans_coefficient(one: list[float], other: list[float], expected: float | None) -> None:
    found = rank_correlation(one, other)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-3))
