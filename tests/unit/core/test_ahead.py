"""Drafting ahead: the same steps are committed, sooner, and what was thrown away is accounted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_models import OPTIONS, TOKENS, MemoryJournal, TreeModels, many, run, whole_drafts

from ssr.core.errors import ContextFull, LostGround, SsrError, StaleOwner, Unavailable
from ssr.core.outcome import Outcome
from ssr.core.solve import LimitReached, solve
from ssr.core.stages import OnRejected, Verdict, Written
from ssr.core.types import CallKind, Mode, Options, PathContext, PathStatus, Source, Step, StopRule

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=3)
PLACES = st.frozensets(st.tuples(st.integers(0, 2), st.integers(0, 6)), max_size=10)


@settings(max_examples=60, deadline=None)
@given(lengths=LENGTHS, rejected=PLACES, pace=st.integers(0, 10**6))
def test_what_is_committed_does_not_depend_on_the_lookahead(
    lengths: list[int], rejected: frozenset[tuple[int, int]], pace: int
) -> None:
    def outcome(lookahead: int) -> tuple[Outcome, TreeModels, MemoryJournal]:
        stages, journal = TreeModels(lengths, rejected, pace=pace + lookahead), MemoryJournal()
        found = asyncio.run(run(stages, many(len(lengths), lookahead), journal))
        return found, stages, journal

    plain, plain_stages, _ = outcome(0)
    assert plain.run.ledger.wasted_tokens == 0
    for lookahead in (1, 2, 3):
        found, stages, journal = outcome(lookahead)
        assert found.run.paths == plain.run.paths
        assert {(c, s) for c, s in stages.judged} == {(c, s) for c, s in plain_stages.judged}
        assert set(plain_stages.begun) <= set(stages.begun)
        # A stream goes on at once behind a draft whose turn it is, before the verifier has it.
        assert all(depth <= lookahead + 1 for depth in stages.deepest.values())
        calls = whole_drafts(call for path in range(len(lengths)) for d in journal.steps(path) for call in d.calls)
        drafts = [call.kind for call in calls if call.model == "small"]
        assert len(drafts) == len(stages.finished), "every finished draft is accounted, once"
        assert drafts.count(CallKind.WASTED) == len(stages.finished) - len(stages.judged)
        assert journal.run == found.run


@settings(max_examples=40, deadline=None)
@given(lengths=LENGTHS, rejected=PLACES, pace=st.integers(0, 10**6), lookahead=st.integers(0, 3))
def test_every_committed_draft_was_judged_where_it_stands(
    lengths: list[int], rejected: frozenset[tuple[int, int]], pace: int, lookahead: int
) -> None:
    stages, journal = TreeModels(lengths, rejected, pace=pace), MemoryJournal()
    asyncio.run(run(stages, many(len(lengths), lookahead), journal))
    for path in range(len(lengths)):
        texts: tuple[str, ...] = ()
        for committed in journal.steps(path):
            step = committed.step
            if step.source is Source.DRAFT:
                assert (texts, step.text) in {(c.steps, s.text) for c, s in stages.judged if c.path == path}
            texts += (step.text,)


@settings(max_examples=25, deadline=None)
@given(rejected=PLACES, pace=st.integers(0, 10**6), lookahead=st.integers(1, 3), data=st.data())
def test_resuming_anywhere_gives_the_same_end(
    rejected: frozenset[tuple[int, int]], pace: int, lookahead: int, data: st.DataObject
) -> None:
    full, options = MemoryJournal(), many(2, lookahead)
    whole = asyncio.run(run(TreeModels([5, 4], rejected, pace=pace), options, full))
    kept = data.draw(st.integers(0, len(full.decisions)))
    again = asyncio.run(run(TreeModels([5, 4], rejected, pace=pace + 1), options, MemoryJournal(full.decisions[:kept])))
    assert again.run.paths == whole.run.paths


async def test_drafting_overlaps_verification() -> None:
    """Each verdict waits for the draft two steps ahead to be begun: without drafting ahead it would wait for ever."""
    began = [asyncio.Event() for _ in range(5)]

    class Entangled(TreeModels):
        async def write(self, context: PathContext, options: Options) -> Written:
            began[len(context.steps)].set()
            return await super().write(context, options)

        async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
            await began[min(step.index + 2, 4)].wait()
            return await super().verify(context, step, options, rejected)

    outcome = await run(Entangled([5]), replace(OPTIONS, lookahead=2))
    assert outcome.answer == "0"
    assert outcome.run.ledger.wasted_tokens == 0


class Held(TreeModels):
    """The draft ahead of step 0, and only that one, is written until it is cancelled; step 0 is judged meanwhile."""

    def __init__(self, *, accept: bool = False) -> None:
        super().__init__([3], frozenset() if accept else frozenset({(0, 0)}))
        self.held, self.release = asyncio.Event(), asyncio.Event()
        self.cancelled = 0

    async def write(self, context: PathContext, options: Options) -> Written:
        if len(context.steps) == 1 and not self.held.is_set():
            self.held.set()
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return await super().write(context, options)

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        await self.held.wait()
        return await super().verify(context, step, options, rejected)


async def test_a_rewrite_cancels_the_draft_that_is_being_written() -> None:
    stages, journal = Held(), MemoryJournal()
    await run(stages, replace(OPTIONS, lookahead=1), journal)
    assert stages.cancelled == 1
    first, second, _ = journal.steps()
    assert [call.kind for call in whole_drafts(first.calls)] == [CallKind.DRAFT, CallKind.SCORE, CallKind.REWRITE]
    assert second.step.text.startswith("draft 1")
    assert stages.judged[1][0].steps == (first.step.text,)


async def test_an_accepted_draft_finds_the_next_one_under_way() -> None:
    stages = Held(accept=True)
    solving = asyncio.create_task(solve("job", "p", replace(OPTIONS, lookahead=1), stages.stages(), MemoryJournal()))
    while not stages.judged:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert [len(context.steps) for context, _ in stages.begun] == [0]  # waits for it, and asks for no other
    stages.release.set()
    outcome = await asyncio.wait_for(solving, 5)
    assert (outcome.answer, stages.cancelled, len(stages.begun)) == ("0", 0, 3)


async def test_waste_is_in_the_step_that_made_it() -> None:
    class Patient(TreeModels):
        """Judges when everything ahead is there."""

        async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
            while len(self.finished) < 1 + (options.lookahead or 0):
                await asyncio.sleep(0)
            return await super().verify(context, step, options, rejected)

    journal = MemoryJournal()
    outcome = await run(Patient([4], frozenset({(0, 0)})), replace(OPTIONS, lookahead=2), journal)
    first, *others = journal.steps()
    drafts = [call.kind for call in whole_drafts(first.calls) if call.model == "small"]
    assert drafts == [CallKind.DRAFT, *[CallKind.WASTED] * 2]
    assert not [call for step in others for call in step.calls if call.kind is CallKind.WASTED]
    usage = outcome.run.ledger.usage()
    assert (usage.wasted_tokens, usage.rejected_tokens, usage.accepted_tokens) == (20, 10, 30)
    assert usage.drafted_tokens == 60


async def test_waste_of_a_rewritten_last_step_is_accounted() -> None:
    class AnswersAtOnce(TreeModels):
        async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
            while len(self.finished) < 2:
                await asyncio.sleep(0)
            answer = replace(step, text="\\boxed{7}", source=Source.REWRITTEN, score=9.0)
            return Verdict(answer, accepted=False)

    outcome = await run(AnswersAtOnce([9]), replace(OPTIONS, lookahead=1))
    assert (outcome.answer, outcome.run.ledger.wasted_tokens) == ("7", TOKENS)


async def test_nothing_is_drafted_behind_a_draft_that_ends_the_path() -> None:
    stages = TreeModels([2])
    await run(stages, replace(OPTIONS, lookahead=4))
    assert [len(context.steps) for context, _ in stages.begun] == [0, 1]


@pytest.mark.parametrize(
    ("limits", "begun"),
    [({"max_path_tokens": 25}, 3), ({"max_steps": 3}, 3), ({"max_tokens": 30}, 3)],
)
async def test_nothing_is_drafted_behind_a_budget(limits: dict[str, int], begun: int) -> None:
    stages = TreeModels([9])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TreeModels, "_while", lambda self: asyncio.sleep(0))
        try:
            await run(stages, replace(OPTIONS, lookahead=4, **limits))  # type: ignore[arg-type]
        except LimitReached:
            assert "max_path_tokens" not in limits
    assert len(stages.begun) == begun


async def test_the_budget_of_a_step_is_that_of_its_turn() -> None:
    stages = TreeModels([3])
    await run(stages, replace(OPTIONS, lookahead=2, max_path_tokens=100, max_step_tokens=95))
    assert [tokens for _, tokens in stages.begun] == [95, 90, 80]


@pytest.mark.parametrize("error", [Unavailable("engine gone"), ContextFull("no room")])
async def test_a_draft_that_fails_ahead_of_its_turn_is_tried_again_in_its_turn(error: SsrError) -> None:
    stages = TreeModels([4], broken={(0, 2): 1}, error=error)
    outcome = await run(stages, replace(OPTIONS, lookahead=2))
    assert outcome.answer == "0"
    assert [len(context.steps) for context, _ in stages.begun].count(2) == 2


@pytest.mark.parametrize("lookahead", range(4))
@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("engine gone"), PathStatus.FAILED), (ContextFull("no room"), PathStatus.EXHAUSTED)],
)
async def test_a_draft_that_fails_in_its_turn_ends_the_path(
    lookahead: int, error: SsrError, status: PathStatus
) -> None:
    stages = TreeModels([4], broken={(0, 2): 99}, error=error)
    outcome = await run(stages, replace(OPTIONS, lookahead=lookahead))
    path = outcome.run.paths[0]
    assert (len(path.steps), path.status, path.reason) == (2, status, str(error))


@pytest.mark.parametrize("lookahead", range(3))
@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("engine gone"), PathStatus.FAILED), (ContextFull("no room"), PathStatus.EXHAUSTED)],
)
async def test_drafts_that_nobody_can_judge_any_more_are_accounted(
    lookahead: int, error: SsrError, status: PathStatus
) -> None:
    class Unjudged(TreeModels):
        async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
            if step.index == 2:
                await self.idle(lookahead)
                raise error
            return await super().verify(context, step, options, rejected)

        async def idle(self, ahead: int) -> None:
            while len(self.finished) < 3 + ahead:
                await asyncio.sleep(0)

    stages, journal = Unjudged([8]), MemoryJournal()
    outcome = await run(stages, replace(OPTIONS, lookahead=lookahead), journal)
    path, ledger = outcome.run.paths[0], outcome.run.ledger
    assert (len(path.steps), path.status) == (2, status)
    assert len(stages.finished) >= 3 + lookahead
    assert ledger.drafted_tokens >= TOKENS * len(stages.finished)
    assert ledger.wasted_tokens == ledger.drafted_tokens - 2 * TOKENS
    assert journal.run == outcome.run


async def test_a_failing_draft_behind_a_rewrite_is_no_failure() -> None:
    class FailsAhead(TreeModels):
        async def write(self, context: PathContext, options: Options) -> Written:
            if context.steps and context.steps[0].startswith("draft"):
                raise Unavailable("engine gone")
            return await super().write(context, options)

    outcome = await run(FailsAhead([3], frozenset({(0, 0)})), replace(OPTIONS, lookahead=2))
    assert outcome.answer == "0"


@pytest.mark.parametrize("kind", [StaleOwner, LostGround])
@pytest.mark.parametrize("fail_at", range(1, 9))
async def test_the_journals_errors_end_the_run_and_no_path(kind: type[SsrError], fail_at: int) -> None:
    rejected = frozenset({(0, 1), (1, 0)})
    journal = MemoryJournal(fail_at=fail_at, error=kind("not yours"))
    with pytest.raises(kind, match="not yours"):
        await run(TreeModels([4, 4], rejected, pace=fail_at), many(2, 2), journal)
    assert not [path for path in journal.run.paths if path.status is PathStatus.FAILED]
    again = await run(TreeModels([4, 4], rejected), many(2, 2), MemoryJournal(journal.decisions))
    plain = await run(TreeModels([4, 4], rejected), many(2, 0))
    assert again.run.paths == plain.run.paths


async def test_the_stop_rule_ends_what_is_drafted_ahead() -> None:
    outcome = await run(TreeModels([2, 50, 50], pace=3), many(3, 3, stop_rule=StopRule.FAST_1))
    assert outcome.answer == "0"


async def test_cancelling_ends_what_is_drafted_ahead() -> None:
    stages = Held(accept=True)
    solving = asyncio.create_task(solve("job", "p", replace(OPTIONS, lookahead=3), stages.stages(), MemoryJournal()))
    await stages.held.wait()
    solving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await solving
    assert stages.cancelled == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_is_ahead_of_the_limit_is_accounted_with_the_last_step() -> None:
    """The score's token uses the budget up, which nobody could know when the next step was drafted."""

    class Patient(TreeModels):
        async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
            while len(self.finished) < 2:
                await asyncio.sleep(0)
            return await super().verify(context, step, options, rejected)

    journal = MemoryJournal()
    with pytest.raises(LimitReached, match=f"^21 of max_tokens={TOKENS + 1} "):
        await run(Patient([50]), replace(OPTIONS, lookahead=1, max_tokens=TOKENS + 1), journal)
    assert len(journal.steps()) == 1
    assert journal.run.ledger.wasted_tokens == TOKENS


async def test_modes_without_drafts_have_nothing_to_draft_ahead() -> None:
    stages = TreeModels([3])
    outcome = await run(stages, replace(OPTIONS, mode=Mode.BASELINE, lookahead=4))
    assert (outcome.answer, len(stages.begun), stages.judged) == ("0", 3, [])


async def test_a_fault_in_the_drafter_itself_is_not_hidden() -> None:
    class Buggy(TreeModels):
        async def write(self, context: PathContext, options: Options) -> Written:
            if len(context.steps) == 2:
                raise KeyError("a bug")
            return await super().write(context, options)

    with pytest.raises(KeyError, match="a bug"):
        await run(Buggy([4]), replace(OPTIONS, lookahead=2))
