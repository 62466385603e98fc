"""Mode cascade and stop rule evidence: drafts first, then the target's paths, and only while the votes leave doubt."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_models import TOKENS, MemoryJournal, TreeModels, run

from ssr.core import poll_run
from ssr.core.cascade import CascadeShape
from ssr.core.errors import InvalidRequest
from ssr.core.evidence.poll import PathVote
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import PathAuthor
from ssr.core.evidence.rule import Estimate, EvidenceRule, Standing, standing
from ssr.core.limits import check_options
from ssr.core.outcome import Outcome, conclude
from ssr.core.path_stream import StepByStep
from ssr.core.run import Path, PathEnded, StepCommitted
from ssr.core.solve import solve
from ssr.core.stages import Stages, Written
from ssr.core.types import Call, CallKind, Mode, Options, PathContext, PathStatus, Source, Step, StopRule

NONE = ""


class CascadeModels(TreeModels):
    """Path i ends with `answers[i]`, or with none, after `lengths[i]` steps. `written`: the steps of the target."""

    def __init__(
        self,
        answers: Sequence[str],
        *,
        lengths: Sequence[int] = (),
        pace: int = 0,
        broken: dict[tuple[int, int], int] | None = None,
        says: str = "",
    ) -> None:
        super().__init__(lengths or [2] * len(answers), frozenset(), broken, pace=pace)
        self._answers, self._says = answers, says
        self.written: list[int] = []

    async def write_alone(self, context: PathContext, options: Options) -> Written:
        self.written.append(context.path)
        await self._while()
        step = Step(len(context.steps), self._text("target", context), Source.TARGET, TOKENS)
        return Written(step, (Call(CallKind.WRITE, "large", 10, 50, 0, TOKENS),))

    def _text(self, author: str, context: PathContext) -> str:
        text, answer = super()._text(author, context), self._answers[context.path]
        said = self._says if author == "draft" else ""
        text = re.sub(r"\\boxed\{\d+\}", rf"{said}\\boxed{{{answer}}}" if answer else "", text)
        return text if answer or len(context.steps) + 1 < self._lengths[context.path] else ""

    def stages(self) -> Stages:
        return Stages(self, self, _Alone(self), self, self)


class _Alone(StepByStep):
    """The target as a writer."""

    def __init__(self, models: CascadeModels) -> None:
        self._models = models

    async def write(self, context: PathContext, options: Options) -> Written:
        return await self._models.write_alone(context, options)


def options_of(answers: Sequence[str], draft_paths: int | None = None, **changes: Any) -> Options:
    drafts = len(answers) // 2 if draft_paths is None else draft_paths
    options = Options(
        Mode.CASCADE, len(answers), StopRule.EVIDENCE, draft_paths=drafts, early_stop=False, strategy_set="plain"
    )
    return replace(options, **changes)


async def voted(answers: Sequence[str], **changes: Any) -> tuple[Outcome, CascadeModels]:
    models = CascadeModels(answers)
    return await run(models, options_of(answers, **changes)), models


def statuses(outcome: Outcome) -> list[PathStatus]:
    return [path.status for path in outcome.run.paths]


async def test_drafts_that_agree_spare_the_target() -> None:
    outcome, models = await voted("aaaabbbb")
    assert (outcome.answer, models.written, models.judged) == ("a", [], [])
    assert statuses(outcome) == [PathStatus.ANSWERED] * 4 + [PathStatus.STOPPED] * 4
    assert outcome.run.paths[4].reason.startswith("the answer's posterior of 0.9")
    (vote,) = outcome.votes
    assert vote.posterior is not None
    assert vote.posterior > 0.9


async def test_drafts_that_scatter_call_the_target_path_by_path() -> None:
    outcome, models = await voted("abcdeeee")
    assert outcome.answer == "e"
    assert set(models.written) == {4, 5} or set(models.written) == {4, 5, 6}
    assert [step.source for step in outcome.run.paths[4].steps] == [Source.TARGET] * 2
    assert sum(vote.posterior or 0 for vote in outcome.votes) <= 1


async def test_a_vote_of_the_target_outweighs_one_of_the_draft() -> None:
    outcome, _ = await voted("ab", draft_paths=1)
    assert [vote.answer for vote in outcome.votes] == ["b", "a"]


async def test_drafts_with_a_false_sum_convince_nobody() -> None:
    models = CascadeModels("aaaabbbb", says="\n3 + 4 = 8\n")
    outcome = await run(models, options_of("aaaabbbb"))
    assert (outcome.answer, bool(models.written)) == ("b", True)


async def test_a_draft_engine_that_is_gone_leaves_the_work_to_the_target() -> None:
    answers = "aabbb"
    models = CascadeModels(answers, broken={(0, 0): 9, (1, 0): 9})
    outcome = await run(models, options_of(answers))
    assert statuses(outcome)[:2] == [PathStatus.FAILED] * 2
    assert outcome.answer == "b"


async def test_paths_begin_in_batches() -> None:
    _, models = await voted("abcdefgh", batch=2)
    first = {path: models.written.index(path) for path in sorted(set(models.written))}
    assert {4, 5} <= set(first)
    assert max(first[4], first[5]) < min((at for path, at in first.items() if path > 5), default=99)


async def test_the_end_of_each_path_says_how_the_votes_stand() -> None:
    journal = MemoryJournal()
    await run(CascadeModels("aabb"), options_of("aabb", confidence=0.999, min_gain=0.0), journal)
    reported = [one for one in journal.decisions if isinstance(one, PathEnded) and one.confidence is not None]
    assert [one.leader for one in reported][:2] == ["a", "a"]
    sure = [one.confidence or 0.0 for one in reported]
    assert sure[1] > sure[0]


@pytest.mark.parametrize("mode", [Mode.PARALLEL, Mode.SSR])
async def test_other_modes_spend_paths_by_evidence_too(mode: Mode) -> None:
    answers = "aaaaa"
    options = options_of(answers, 0, mode=mode)
    models = CascadeModels(answers)
    outcome = await run(models, options)
    begun = [path for path in outcome.run.paths if path.steps]
    assert outcome.answer == "a"
    assert 1 <= len(begun) < 5
    assert {path.by_target for path in begun} == {mode is Mode.PARALLEL}


async def test_adaptive_consistency_is_a_setting() -> None:
    answers = "aabb"
    options = options_of(answers, 0, mode=Mode.PARALLEL, estimate=Estimate.BETA, confidence=0.85, min_gain=0.0)
    outcome = await run(CascadeModels(answers), options)
    assert [bool(path.steps) for path in outcome.run.paths] == [True, True, False, False]


async def test_with_other_stop_rules_the_target_writes_all_or_nothing() -> None:
    outcome, models = await voted("aabb", stop_rule=StopRule.FULL)
    assert set(models.written) == {2, 3}
    outcome, models = await voted("aaab", stop_rule=StopRule.FAST_2)
    assert (outcome.answer, models.written) == ("a", [])
    outcome, models = await voted("abab", stop_rule=StopRule.FAST_1, draft_paths=2)
    assert models.written == []


async def test_an_early_stop_does_not_wait_for_a_slow_draft() -> None:
    answers = "aaaab"
    models = CascadeModels(answers, lengths=[1, 1, 1, 400, 1])
    outcome = await run(models, options_of(answers, 4, early_stop=True, confidence=0.75))
    assert outcome.answer == "a"
    assert outcome.run.paths[3].status is PathStatus.STOPPED
    assert len(outcome.run.paths[3].steps) < 400


async def test_concluding_weighs_what_there_is() -> None:
    journal = MemoryJournal()
    options = options_of("abab")
    await run(CascadeModels("abab"), options, journal)
    cut = MemoryJournal(journal.decisions[:-2])
    outcome = await conclude("job", "p", options, CascadeModels("abab").stages(), cut, "why")
    assert all(vote.posterior is not None for vote in outcome.votes)


def by_target(decision: object) -> bool:
    return isinstance(decision, StepCommitted) and decision.step.source is Source.TARGET


@settings(max_examples=25, deadline=None)
@given(
    answers=st.lists(st.sampled_from(["a", "b", "c", NONE]), min_size=2, max_size=6),
    batch=st.integers(1, 3),
    pace=st.integers(0, 99),
    data=st.data(),
)
def test_a_run_cut_anywhere_goes_on_to_the_same_end(
    answers: list[str], batch: int, pace: int, data: st.DataObject
) -> None:
    drafts = data.draw(st.integers(0, len(answers)))
    lengths = data.draw(st.lists(st.integers(1, 3), min_size=len(answers), max_size=len(answers)))
    options, full = options_of(answers, drafts, batch=batch), MemoryJournal()
    whole = asyncio.run(run(CascadeModels(answers, lengths=lengths, pace=pace), options, full))
    for kept in range(len(full.decisions) + 1):
        journal = MemoryJournal(full.decisions[:kept])
        models = CascadeModels(answers, lengths=lengths, pace=pace + kept)
        again = asyncio.run(run(models, options, journal))
        assert (again.votes, shape(again)) == (whole.votes, shape(whole))
        assert len(models.written) == len([one for one in journal.decisions[kept:] if by_target(one)])


def shape(outcome: Outcome) -> list[Path]:
    return list(outcome.run.paths)


@pytest.mark.parametrize(
    ("said", "filled"),
    [((None, None), (7, 3)), ((6, None), (6, 3)), ((None, 2), (6, 2)), ((3, 3), (3, 3)), ((1, None), (1, 0))],
)
def test_what_a_request_leaves_out(said: tuple[int | None, int | None], filled: tuple[int, int]) -> None:
    assert CascadeShape().fill(Mode.CASCADE, *said, 5) == filled
    assert CascadeShape().fill(Mode.SSR, said[0], None, 5) == (said[0] or 5, 0)


def test_who_writes_and_when() -> None:
    options = options_of("abcdef", 2, batch=3)
    assert [options.author(path) for path in range(3)] == [PathAuthor.DRAFT, PathAuthor.DRAFT, PathAuthor.TARGET]
    assert options.waves == (2, 5, 6)
    assert replace(options, draft_paths=0).waves == (3, 6)
    assert replace(options, draft_paths=6).waves == (6,)
    assert replace(options, stop_rule=StopRule.FULL).waves == (2, 6)
    assert Options(Mode.SSR, 5, reserve=2).waves == (3, 5)
    assert Options(Mode.SSR, 5).waves == (5,)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"draft_paths": 5}, "draft_paths"),
        ({"mode": Mode.SSR}, "draft_paths"),
        ({"confidence": 0.0}, "confidence"),
        ({"confidence": 1.5}, "confidence"),
        ({"min_gain": -0.1}, "min_gain"),
        ({"batch": 0}, "batch"),
        ({"vote": "loudest"}, "vote"),
    ],
)
def test_what_is_out_of_its_limits_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=field):
        check_options(options_of("aabb", **changes))


async def test_the_loop_goes_on_while_votes_for_many_answers_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look ahead that takes long is taken by another thread: here it lasts until the loop has done something else."""
    beside, asked = threading.Event(), list[int]()

    def slow(
        rule: EvidenceRule, posterior: Posterior, votes: Sequence[PathVote], to_come: Sequence[PathAuthor]
    ) -> Standing:
        asked.append(len({vote.answer for vote in votes if vote.answer is not None}))
        if asked[-1] >= 4:
            assert beside.wait(5)
        return standing(rule, posterior, votes, to_come)

    monkeypatch.setattr(poll_run, "standing", slow)

    async def other_work() -> None:
        while max(asked, default=0) < 4:
            await asyncio.sleep(0)
        beside.set()

    async with asyncio.TaskGroup() as group:
        work = group.create_task(other_work())
        stages, options = CascadeModels("abcdeeee").stages(), options_of("abcdeeee")
        outcome = await solve("job", "p", options, stages, MemoryJournal())
        await work
    assert outcome.answer == "e"
