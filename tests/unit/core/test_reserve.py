"""Paths in reserve: the target writes them alone, and only where the others leave the vote open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_models import TOKENS, MemoryJournal, TreeModels, many, run

from ssr.core.errors import Unavailable
from ssr.core.outcome import Outcome, conclude
from ssr.core.path_stream import StepByStep
from ssr.core.run import PathEnded, StepCommitted
from ssr.core.solve import LimitReached, solve
from ssr.core.stages import Stages, Written
from ssr.core.types import Call, CallKind, Options, PathContext, PathStatus, Source, Step, StopRule

#: Of a path that ends without an answer.
NONE = ""
DECIDED = "the vote was already decided"


class ReserveModels(TreeModels):
    """Path i takes `lengths[i]` steps to `answers[i]`. `written` has the path of every step the target has begun."""

    def __init__(
        self,
        answers: Sequence[str],
        *,
        lengths: Sequence[int] = (),
        pace: int = 0,
        broken: dict[tuple[int, int], int] | None = None,
    ) -> None:
        super().__init__(lengths or [2] * len(answers), frozenset({(0, 0)}), broken, pace=pace)
        self._answers = answers
        self.written: list[int] = []

    async def write_alone(self, context: PathContext, options: Options) -> Written:
        self.written.append(context.path)
        await self._while()
        if self._broken.get((context.path, len(context.steps)), 0):
            raise self._error
        step = Step(len(context.steps), self._text("target", context), Source.TARGET, TOKENS)
        return Written(step, (Call(CallKind.WRITE, "large", 10, 50, 0, TOKENS),))

    def _text(self, author: str, context: PathContext) -> str:
        text, answer = super()._text(author, context), self._answers[context.path]
        text = re.sub(r"\\boxed\{\d+\}", rf"\\boxed{{{answer}}}" if answer else "", text)
        return text if answer or len(context.steps) + 1 < self._lengths[context.path] else ""

    def stages(self) -> Stages:
        return Stages(self, self, _Alone(self), self, self)


class _Alone(StepByStep):
    """The target as a writer."""

    def __init__(self, stages: ReserveModels) -> None:
        self._stages = stages

    async def write(self, context: PathContext, options: Options) -> Written:
        return await self._stages.write_alone(context, options)


def options_of(answers: Sequence[str], reserve: int = 1, **changes: object) -> Options:
    return replace(many(len(answers), 0, reserve=reserve), **changes)  # type: ignore[arg-type]


async def voted(answers: Sequence[str], reserve: int = 1, **changes: object) -> tuple[Outcome, ReserveModels]:
    stages = ReserveModels(answers)
    return await run(stages, options_of(answers, reserve, **changes)), stages


@pytest.mark.parametrize("early_stop", [False, True])
@pytest.mark.parametrize("rule", [StopRule.FULL, StopRule.FAST_1, StopRule.FAST_2])
async def test_paths_that_agree_spare_the_reserve(rule: StopRule, early_stop: bool) -> None:
    outcome, stages = await voted("aax", stop_rule=rule, early_stop=early_stop)
    assert (outcome.answer, outcome.error, stages.written) == ("a", "", [])
    reserve = outcome.run.paths[2]
    assert (reserve.status, reserve.steps, reserve.reason) == (PathStatus.STOPPED, (), DECIDED)
    assert outcome.run.ledger.usage().written_tokens == 0


@pytest.mark.parametrize("early_stop", [False, True])
@pytest.mark.parametrize("rule", [StopRule.FULL, StopRule.FAST_2])
async def test_where_they_disagree_the_target_writes_and_wins_the_tie(rule: StopRule, early_stop: bool) -> None:
    outcome, stages = await voted("abc", stop_rule=rule, early_stop=early_stop, lookahead=2)
    assert stages.written == [2, 2]
    assert {context.path for context, _ in stages.begun} == {0, 1}, "the drafter wrote in reserve"
    assert {context.path for context, _ in stages.judged} == {0, 1}
    assert [(vote.answer, vote.mean_score) for vote in outcome.votes] == [("c", 9.0), ("a", 8.5), ("b", 8.0)]
    assert [(step.source, step.score) for step in outcome.run.paths[2].steps] == [(Source.TARGET, 9.0)] * 2
    assert outcome.run.ledger.usage().written_tokens == 2 * TOKENS


async def test_the_reserve_may_confirm_a_drafted_answer() -> None:
    outcome, _ = await voted("abb")
    assert [(vote.answer, vote.paths) for vote in outcome.votes] == [("b", (1, 2)), ("a", (0,))]


async def test_the_first_answer_decides_fast_1_and_none_calls_the_reserve() -> None:
    outcome, stages = await voted("abc", stop_rule=StopRule.FAST_1)
    assert (outcome.answer in "ab", stages.written) == (True, [])
    outcome, stages = await voted([NONE, NONE, "c"], stop_rule=StopRule.FAST_1)
    assert (outcome.answer, stages.written) == ("c", [2, 2])


@pytest.mark.parametrize(
    ("answers", "reserve", "begins"),
    [
        (["a", "b"], 1, True),  # one path alone decides nothing
        (["a", "a", "a", "b"], 1, False),
        (["a", "a", "b", "c"], 1, True),  # 2 to 1: the reserve could make it a tie
        (["a", "a", NONE, "c"], 1, False),
        (["a", NONE, "c"], 1, True),
        (["a", "a", "c", "c"], 2, True),  # two in reserve could make it a tie
        (["a", "a", "a", "c", "c"], 2, False),
    ],
)
async def test_rule_full_spares_the_reserve_when_it_cannot_catch_up(
    answers: list[str], reserve: int, begins: bool
) -> None:
    outcome, stages = await voted(answers, reserve)
    assert bool(stages.written) == begins
    assert {path.status for path in outcome.run.paths[-reserve:]} == {
        PathStatus.ANSWERED if begins else PathStatus.STOPPED
    }


async def test_without_the_early_stop_a_reserve_that_has_begun_ends() -> None:
    """Two of three in reserve decide the vote; where the third would be cut depends on the clock."""
    lengths = [2, 2, 1, 1, 4]
    stages = ReserveModels("abaaa", lengths=lengths)
    outcome = await run(stages, options_of("abaaa", 3))
    assert outcome.votes[0].paths == (0, 2, 3, 4)
    stages = ReserveModels("abaaa", lengths=lengths)
    outcome = await run(stages, options_of("abaaa", 3, early_stop=True))
    assert outcome.run.paths[4].status is PathStatus.STOPPED


async def test_the_reserve_waits_for_all_others() -> None:
    journal, answers = MemoryJournal(), "abc"
    await run(ReserveModels(answers, lengths=[1, 7, 2]), options_of(answers), journal)
    ended = max(i for i, one in enumerate(journal.decisions) if isinstance(one, PathEnded) and one.path < 2)
    assert all(journal.decisions.index(step) > ended for step in journal.steps(2))


@pytest.mark.parametrize("rule", [StopRule.FULL, StopRule.FAST_2])
async def test_a_drafted_path_that_fails_calls_the_reserve(rule: StopRule) -> None:
    stages = ReserveModels("aab", broken={(1, 1): 1})
    outcome = await run(stages, options_of("aab", stop_rule=rule))
    assert [path.status for path in outcome.run.paths] == [
        PathStatus.ANSWERED,
        PathStatus.FAILED,
        PathStatus.ANSWERED,
    ]
    assert (outcome.answer, outcome.error) == ("b", "")


async def test_the_reserve_may_fail_too() -> None:
    outcome = await run(ReserveModels("abc", broken={(2, 1): 1}), options_of("abc"))
    assert outcome.run.paths[2].status is PathStatus.FAILED
    assert [vote.answer for vote in outcome.votes] == ["a", "b"]
    outcome = await run(ReserveModels("abc", broken={(path, 0): 1 for path in range(3)}), options_of("abc"))
    assert outcome.error == str(Unavailable("engine gone"))


@settings(max_examples=80, deadline=None)
@given(
    answers=st.lists(st.sampled_from(["a", "b", "c", NONE]), min_size=2, max_size=5),
    rule=st.sampled_from(StopRule),
    pace=st.integers(0, 10**6),
    data=st.data(),
)
def test_resuming_anywhere_gives_the_same_votes(
    answers: list[str], rule: StopRule, pace: int, data: st.DataObject
) -> None:
    """The fast rules cut paths by the clock; with one drafted path and one in reserve there is no race."""
    if rule is not StopRule.FULL:
        answers = answers[:2]
    reserve = data.draw(st.integers(1, len(answers) - 1))
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=len(answers), max_size=len(answers)))
    options, full = options_of(answers, reserve, stop_rule=rule), MemoryJournal()
    whole = asyncio.run(run(ReserveModels(answers, lengths=lengths, pace=pace), options, full))
    for kept in range(len(full.decisions) + 1):
        journal = MemoryJournal(full.decisions[:kept])
        stages = ReserveModels(answers, lengths=lengths, pace=pace + kept)
        again = asyncio.run(run(stages, options, journal))
        assert (again.votes, again.run.paths) == (whole.votes, whole.run.paths)
        assert len(stages.written) == len([one for one in journal.decisions[kept:] if _by_target(one)])


def _by_target(decision: object) -> bool:
    return isinstance(decision, StepCommitted) and decision.step.source is Source.TARGET


@pytest.mark.parametrize(("max_steps", "answer"), [(1, ""), (2, ""), (4, "a"), (5, "a"), (6, "c")])
async def test_limits_end_it_before_and_within_the_reserve(max_steps: int, answer: str) -> None:
    journal, stages = MemoryJournal(), ReserveModels("abc")
    options = options_of("abc", max_steps=max_steps)
    if max_steps < 6:
        with pytest.raises(LimitReached, match=f"^{max_steps} of max_steps={max_steps} steps"):
            await run(stages, options, journal)
        with pytest.raises(LimitReached):
            await run(ReserveModels("abc"), options, MemoryJournal(journal.decisions))
        if answer:
            assert (await conclude("job", "p", options, stages.stages(), journal, "limit")).answer == answer
    else:
        assert (await run(stages, options, journal)).answer == answer
    assert journal.run.committed_steps == max_steps
    assert len(stages.written) == max(0, max_steps - 4)


@pytest.mark.parametrize("limits", [{"max_steps": 4}, {"max_tokens": 54}])
async def test_paths_that_agree_at_the_limit_have_decided(limits: dict[str, int]) -> None:
    """Four drafted steps of 10 tokens, five drafts' worth with the rewrite, and a token for each score."""
    outcome, stages = await voted("aac", **limits)
    assert (outcome.answer, stages.written) == ("a", [])


async def test_a_token_limit_ends_the_wait_of_the_reserve() -> None:
    with pytest.raises(LimitReached, match="of max_tokens=20 "):
        await voted("abc", max_tokens=20)


@pytest.mark.parametrize("length", [1, 50])
async def test_cancelling_leaves_no_task(length: int) -> None:
    """While the reserve waits, and while it writes."""
    journal, answers = MemoryJournal(), "abc"
    stages = ReserveModels(answers, lengths=[51 - length, 1, length])
    solving = asyncio.create_task(solve("job", "p", options_of(answers), stages.stages(), journal))
    while len(journal.decisions) < 12:
        await asyncio.sleep(0)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert bool(stages.written) == (length == 50)
    await run(ReserveModels(answers, lengths=[51 - length, 1, length]), options_of(answers), journal)
    assert len(journal.run.paths[2].steps) == length
