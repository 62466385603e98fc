"""The algorithm with scripted models: what is written is reported by the test, not by a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest
from tree_models import MemoryJournal

from ssr.core.answers import ANYBODY, Asked
from ssr.core.errors import ContextFull, StaleOwner, Unavailable
from ssr.core.outcome import Outcome, conclude
from ssr.core.path_stream import StepByStep
from ssr.core.run import Decision, PathEnded, Selected, StepCommitted
from ssr.core.solve import LimitReached, solve
from ssr.core.stages import OnRejected, Selection, Stages, Verdict, Written
from ssr.core.steps import RepeatRule
from ssr.core.types import Call, CallKind, Mode, Options, PathContext, PathStatus, Source, Step, StopRule, Strategy

Script = Mapping[int, Sequence[str | Exception]]


class Same:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return a == b


class ScriptedModels(StepByStep):
    """Plays every part. `script`: per path, the texts of its steps; an exception is raised in a step's place.

    A path whose script runs out waits until it is cancelled.
    """

    def __init__(self, script: Script, source: Source = Source.DRAFT, reject: frozenset[str] = frozenset()) -> None:
        self._script, self._source, self._reject = script, source, reject
        self.calls: list[tuple[str, int, int]] = []
        self.contexts: list[PathContext] = []
        self.budgets: list[int] = []
        self.cancelled: list[int] = []

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        self.calls.append(("select", options.paths, 0))
        return Selection(tuple(Strategy(chr(65 + i), f"s{i}", f"hint {i}") for i in range(options.paths)))

    async def write(self, context: PathContext, options: Options) -> Written:
        index = len(context.steps)
        self.calls.append(("write", context.path, index))
        self.contexts.append(context)
        self.budgets.append(options.max_step_tokens)
        texts = self._script[context.path]
        if index >= len(texts):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.append(context.path)
                raise
        if isinstance(text := texts[index], Exception):
            raise text
        call = Call(CallKind.DRAFT, "m", 1, prompt_tokens=0, cached_tokens=0, generated_tokens=10)
        return Written(Step(index, text, self._source, tokens=10), (call,))

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        self.calls.append(("verify", context.path, step.index))
        if step.text in self._reject:
            rewritten = replace(step, text=f"better {step.text}", source=Source.REWRITTEN, score=9.0, draft_score=1.0)
            return Verdict(rewritten, accepted=False)
        return Verdict(replace(step, score=8.0), accepted=True)

    def stages(self) -> Stages:
        return Stages(self, self, self, self, Same())


async def run(
    script: Script,
    journal: MemoryJournal | None = None,
    stages: ScriptedModels | None = None,
    change: Callable[[Options], Options] = lambda options: options,
) -> tuple[Outcome, ScriptedModels]:
    stages = stages or ScriptedModels(script)
    options = change(Options(paths=len(script), early_stop=False))
    outcome = await asyncio.wait_for(solve("job", "p", options, stages.stages(), journal or MemoryJournal()), 5)
    return outcome, stages


def box(answer: str) -> str:
    return f"The answer is \\boxed{{{answer}}}."


async def test_paths_vote() -> None:
    outcome, _ = await run({0: ["Think.", box("42")], 1: [box("7")], 2: ["Think.", "Again.", box("42")]})
    assert outcome.answer == "42"
    assert [(v.answer, v.paths) for v in outcome.votes] == [("42", (0, 2)), ("7", (1,))]


async def test_every_path_gets_its_own_strategy_and_its_own_steps() -> None:
    _, stages = await run({0: ["a0", box("1")], 1: ["b0", box("1")]})
    seen = {(c.path, c.strategy.code, c.steps) for c in stages.contexts}
    assert seen == {(0, "A", ()), (0, "A", ("a0",)), (1, "B", ()), (1, "B", ("b0",))}


@pytest.mark.parametrize(
    ("texts", "earlier", "consecutive"),
    [
        (["We add the numbers.", "Then we go on.", "We add the numbers.", box("7")], 3, None),
        (["We begin the sum.", "We go round and round.", "We go round and round.", box("7")], 3, 3),
        (["We go round and round.", "We go round and round.", "We see it now.", box("7")], 2, None),
        (["So", "So", "So", box("7")], 3, 3),
    ],
)
async def test_which_repetition_ends_a_path(texts: list[str], earlier: int, consecutive: int | None) -> None:
    """Written by the target alone, so that nobody replaces a step."""
    for rule, steps in ((RepeatRule.EARLIER, earlier), (RepeatRule.CONSECUTIVE, consecutive)):
        stages = ScriptedModels({0: texts}, source=Source.TARGET)
        alone = partial(replace, mode=Mode.BASELINE, repeat_rule=rule)
        outcome, _ = await run({0: []}, stages=stages, change=alone)
        path = outcome.run.paths[0]
        assert (path.status is PathStatus.STALLED) == (steps is not None)
        assert len(path.steps) == (steps or len(texts))


async def test_drafts_that_repeat_reach_the_judge_under_the_authors_rule() -> None:
    texts = ["We add the numbers.", "Then we go on.", "We add the numbers.", box("7")]
    seen: dict[str, list[str]] = {}
    for rule in RepeatRule:
        stages = ScriptedModels({0: texts})
        judged = seen.setdefault(rule, [])

        async def verify(
            context: PathContext, step: Step, options: Options, rejected: OnRejected, judged: list[str] = judged
        ) -> Verdict:
            judged.append(step.text)
            text = step.text or "We take another way."
            return Verdict(replace(step, text=text, score=8.0), accepted=bool(step.text))

        stages.verify = verify  # type: ignore[method-assign]
        await run({0: []}, stages=stages, change=partial(replace, repeat_rule=rule))
    assert seen == {"earlier": [*texts[:2], "", texts[3]], "consecutive": texts}


async def test_parallel_ssd_drafts_on_every_path_and_selects_nothing() -> None:
    outcome, stages = await run(
        {0: ["a", box("1")], 1: ["b", box("1")]}, change=lambda options: replace(options, mode=Mode.PARALLEL_SSD)
    )
    assert {kind for kind, *_ in stages.calls} == {"write", "verify"}
    assert {step.source for path in outcome.run.paths for step in path.steps} == {Source.DRAFT}
    assert [path.strategy.code for path in outcome.run.paths] == ["", ""]


async def test_a_rejected_draft_is_replaced() -> None:
    stages = ScriptedModels({0: ["bad", box("1")]}, reject=frozenset({"bad"}))
    outcome, _ = await run({0: []}, stages=stages)
    first = outcome.run.paths[0].steps[0]
    assert (first.text, first.source, first.score, first.draft_score) == ("better bad", Source.REWRITTEN, 9.0, 1.0)
    assert first.draft_text == "bad"


@pytest.mark.parametrize(
    ("mode", "selects", "verifies"),
    [
        (Mode.BASELINE, False, False),
        (Mode.PARALLEL, False, False),
        (Mode.PARALLEL_SPM, True, False),
        (Mode.SSD, False, True),
        (Mode.SSR, True, True),
    ],
)
async def test_what_each_mode_calls(mode: Mode, selects: bool, verifies: bool) -> None:
    outcome, stages = await run({0: ["Think.", box("1")]}, change=lambda options: replace(options, mode=mode))
    kinds = {kind for kind, _, _ in stages.calls}
    assert ("select" in kinds, "verify" in kinds) == (selects, verifies)
    assert outcome.answer == "1"
    assert bool(outcome.run.paths[0].strategy.code) == selects


async def test_fast_1_cancels_the_others() -> None:
    outcome, stages = await run(
        {0: ["Think."], 1: [box("42")], 2: []}, change=lambda options: replace(options, stop_rule=StopRule.FAST_1)
    )
    assert outcome.answer == "42"
    assert sorted(stages.cancelled) == [0, 2]
    assert [p.status for p in outcome.run.paths] == [PathStatus.STOPPED, PathStatus.ANSWERED, PathStatus.STOPPED]


async def test_fast_2_waits_for_two_equal_answers() -> None:
    outcome, stages = await run(
        {0: [box("1")], 1: ["Think.", box("2")], 2: ["Think.", "More.", box("2")], 3: []},
        change=lambda options: replace(options, stop_rule=StopRule.FAST_2),
    )
    assert outcome.answer == "2"
    assert stages.cancelled == [3]


async def test_full_stops_early_when_nothing_can_change() -> None:
    outcome, stages = await run(
        {0: [box("2")], 1: [box("2")], 2: []}, change=lambda options: replace(options, early_stop=True)
    )
    assert outcome.answer == "2"
    assert stages.cancelled == [2]


async def test_a_failed_path_has_no_vote_and_the_others_go_on() -> None:
    outcome, _ = await run({0: [Unavailable("engine gone")], 1: ["Think.", box("3")]})
    assert outcome.answer == "3"
    assert outcome.run.paths[0].status is PathStatus.FAILED
    assert outcome.run.paths[0].reason == "engine gone"
    assert not outcome.error


async def test_when_all_paths_fail_the_outcome_says_why() -> None:
    outcome, _ = await run({0: [Unavailable("engine gone")], 1: ["Think.", Unavailable("also gone")]})
    assert (outcome.answer, outcome.error) == ("", "engine gone")


async def test_a_full_context_exhausts_the_path() -> None:
    outcome, _ = await run({0: ["Think.", ContextFull("no room")]})
    assert outcome.run.paths[0].status is PathStatus.EXHAUSTED
    assert not outcome.error


async def test_no_answer_is_a_legal_outcome() -> None:
    outcome, _ = await run({0: ["Think hard about it.", "Think hard about it."]})
    assert (outcome.answer, outcome.votes, outcome.error) == ("", (), "")
    assert outcome.run.paths[0].status is PathStatus.STALLED


async def test_a_step_never_gets_more_than_the_path_has_left() -> None:
    _, stages = await run(
        {0: ["one thing", "another", "a third"]}, change=lambda options: replace(options, max_path_tokens=25)
    )
    assert stages.budgets == [25, 15, 5]


async def test_a_failing_selection_fails_the_run() -> None:
    stages = ScriptedModels({0: []})

    async def fail(*_: object) -> Selection:
        raise Unavailable("no target")

    stages.select = fail  # type: ignore[assignment,method-assign]
    with pytest.raises(Unavailable, match="no target"):
        await run({0: []}, stages=stages)


async def test_a_stale_owner_ends_the_run_with_that_error() -> None:
    journal = MemoryJournal(fail_at=2, error=StaleOwner("newer owner"))
    with pytest.raises(StaleOwner):
        await run({0: ["a", "b", box("1")], 1: ["c", box("1")]}, journal)
    assert len(journal.decisions) == 2


SCRIPT: Script = {0: ["a0", "a1", box("1")], 1: ["b0", box("2")], 2: ["c0", "c1", box("1")]}


@pytest.mark.parametrize("kept", range(12))
async def test_resuming_anywhere_gives_the_same_end(kept: int) -> None:
    full = MemoryJournal()
    whole, _ = await run(SCRIPT, full)
    resumed_journal = MemoryJournal(full.decisions[:kept])
    resumed, stages = await run(SCRIPT, resumed_journal)
    assert resumed.votes == whole.votes
    assert resumed.run.paths == whole.run.paths
    committed = {(d.path, d.step.index) for d in full.decisions[:kept] if isinstance(d, StepCommitted)}
    rewritten = {(path, index) for kind, path, index in stages.calls if kind == "write"}
    assert not committed & rewritten, "a committed step was written again"


async def test_a_decided_run_does_nothing_again() -> None:
    journal = MemoryJournal()
    whole, _ = await run(SCRIPT, journal)
    again, stages = await run(SCRIPT, MemoryJournal(journal.decisions))
    assert stages.calls == []
    assert again.votes == whole.votes


async def test_every_decision_is_journalled_once_and_in_order() -> None:
    journal = MemoryJournal()
    outcome, _ = await run(SCRIPT, journal)
    assert isinstance(journal.decisions[0], Selected)
    for path in outcome.run.paths:
        own = [d for d in journal.decisions if not isinstance(d, Selected) and d.path == path.index]
        assert [d.step.index for d in own if isinstance(d, StepCommitted)] == list(range(len(path.steps)))
        assert isinstance(own[-1], PathEnded)
    assert (await journal.load()) == outcome.run


async def test_a_commit_under_way_survives_the_stop_rule() -> None:
    """Path 1 is cancelled while its commit is at the journal: journal and outcome must agree on that step."""

    class SlowJournal(MemoryJournal):
        async def append(self, decision: Decision) -> None:
            if isinstance(decision, StepCommitted) and decision.path == 1:
                for _ in range(50):
                    await asyncio.sleep(0)
            await super().append(decision)

    journal = SlowJournal()
    outcome, _ = await run(
        {0: [box("1")], 1: ["slow"]}, journal, change=lambda options: replace(options, stop_rule=StopRule.FAST_1)
    )
    assert await journal.load() == outcome.run
    assert len(outcome.run.paths[1].steps) == 1


async def test_cancelling_leaves_a_journal_to_go_on_with() -> None:
    journal = MemoryJournal()
    stages = ScriptedModels({0: ["a0"], 1: ["b0", box("2")]})
    options = Options(paths=2, early_stop=False)
    solving = asyncio.create_task(solve("job", "p", options, stages.stages(), journal))
    while len([d for d in journal.decisions if isinstance(d, PathEnded)]) < 1:
        await asyncio.sleep(0)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    outcome, _ = await run({0: ["a0", box("2")], 1: ["b0", box("2")]}, journal)
    assert outcome.votes[0].paths == (0, 1)


async def test_a_journal_that_never_answers_does_not_stop_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    class DeadJournal(MemoryJournal):
        async def append(self, decision: Decision) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("ssr.core.solve._SETTLE_S", 0.01)
    stages = ScriptedModels({0: [box("1")]})
    solving = asyncio.create_task(solve("job", "p", Options(paths=1), stages.stages(), DeadJournal()))
    await asyncio.sleep(0)
    solving.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await solving


async def test_a_spent_token_budget_ends_the_run_behind_its_last_step() -> None:
    journal = MemoryJournal()
    with pytest.raises(LimitReached, match="40 of max_tokens=40"):
        await run(
            {0: ["a0", "a1", "a2", "a3", "a4"], 1: [box("7")]},
            journal,
            change=lambda options: replace(options, max_tokens=40, lookahead=0),
        )
    state = await journal.load()
    assert state.ledger.generated_tokens == 40
    assert state.paths[1].status is PathStatus.ANSWERED


async def test_a_budget_that_the_last_step_just_spends_is_enough() -> None:
    outcome, _ = await run({0: ["a0", box("1")]}, change=lambda options: replace(options, max_tokens=20))
    assert outcome.answer == "1"


async def test_concluding_lets_those_vote_that_have_an_answer() -> None:
    journal = MemoryJournal()
    stages = ScriptedModels({0: [box("7")], 1: ["b0"], 2: ["c0"]})
    solving = asyncio.create_task(solve("job", "p", Options(paths=3, early_stop=False), stages.stages(), journal))
    while len(journal.decisions) < 5:
        await asyncio.sleep(0)
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    outcome = await conclude("job", "p", Options(), stages.stages(), journal, "the deadline has passed")
    assert (outcome.answer, [vote.paths for vote in outcome.votes]) == ("7", [(0,)])
    assert [path.status for path in outcome.run.paths][1:] == [PathStatus.STOPPED] * 2
    assert outcome.run.paths[1].reason == "the deadline has passed"
    assert await journal.load() == outcome.run


async def test_concluding_a_run_without_strategies() -> None:
    outcome = await conclude("job", "p", Options(), ScriptedModels({}).stages(), MemoryJournal(), "why")
    assert (outcome.answer, outcome.run.paths) == ("", ())
