"""Repair: paths of the target that go on from the steps that drafts share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_models import TOKENS, MemoryJournal, TreeModels, run

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_options
from ssr.core.outcome import Outcome
from ssr.core.path_stream import StepByStep
from ssr.core.repair import shared_steps
from ssr.core.run import StepCommitted
from ssr.core.stages import Stages, Written
from ssr.core.steps import CutText
from ssr.core.types import Call, CallKind, Mode, Options, PathContext, Source, Step, StopRule

FIRST, SECOND = "2 * 3 = 6 pens", "6 + 4 = 10 pens"


@pytest.mark.parametrize(
    ("drafts", "shared"),
    [
        ([[FIRST, SECOND, "10 - 1 = 9"], [FIRST, SECOND, "10 - 2 = 8"], [FIRST, "6 + 1 = 7"]], (0, 2)),
        ([["Let us see.", FIRST, "So:", "6 + 1 = 7"], [FIRST, "6 + 2 = 8"]], (0, 2)),
        ([["5 + 5 = 10", SECOND], [FIRST, SECOND, "10 * 2 = 20"], [FIRST, SECOND, "10 * 3 = 30"]], (1, 2)),
        ([["1 + 1 = 2"], ["3 + 3 = 6"]], (0, 0)),
        ([["No sums here."], ["Nor here."]], (0, 0)),
        ([["1 + 1 = 3", FIRST], ["1 + 1 = 3", FIRST]], (0, 0)),
        ([["2 * 3 = 6, so \\boxed{6}"], ["2 * 3 = 6, so \\boxed{6}"]], (0, 0)),
        ([[CutText("2 * 3 = 6 p"), "ens"], [CutText("2 * 3 = 6"), " pens"]], (0, 0)),
        ([["20 * 3 = 60 pens"], [CutText("20 * 3 = 6"), "0 pens"], ["20 * 3 = 60"]], (0, 1)),
        ([["20 * 3 = 60", "1 + 1 = 2"], [CutText("20 * 3 = 6"), "0"], [CutText("20 * 3 = 6"), "0"]], (0, 1)),
    ],
)
def test_what_drafts_share(drafts: list[list[str]], shared: tuple[int, int]) -> None:
    assert shared_steps(drafts, "What do the pens cost?") == shared


def test_where_a_problem_has_an_arithmetic_of_its_own_no_sum_is_false() -> None:
    drafts = [["1 + 1 = 3", "3 + 3 = 9"], ["1 + 1 = 3", "3 + 3 = 8"]]
    assert shared_steps(drafts, "Add in base 7: what is 1 + 1?") == (0, 1)


class SharingModels(TreeModels):
    """Drafts begin with `said`, and part with their answers; `contexts` has what the target goes on from."""

    def __init__(self, answers: Sequence[str], said: Sequence[str] = (FIRST, SECOND), *, pace: int = 0) -> None:
        super().__init__([len(said) + 1] * len(answers), pace=pace)
        self._answers, self._said = answers, said
        self.contexts: list[PathContext] = []

    def _text(self, author: str, context: PathContext) -> str:
        index = len(context.steps)
        if author == "draft" and index < len(self._said):
            return self._said[index]
        return rf"by {author}: \boxed{{{self._answers[context.path]}}}"

    def stages(self) -> Stages:
        return Stages(self, self, _Target(self), self, self)


class _Target(StepByStep):
    def __init__(self, models: SharingModels) -> None:
        self._models = models

    async def write(self, context: PathContext, options: Options) -> Written:
        models = self._models
        models.contexts.append(context)
        await models._while()
        step = Step(len(context.steps), models._text("target", context), Source.TARGET, TOKENS)
        return Written(step, (Call(CallKind.WRITE, "large", 10, 50, 0, TOKENS),))


def options_of(answers: str, **changes: Any) -> Options:
    options = Options(Mode.CASCADE, len(answers), StopRule.EVIDENCE, draft_paths=3, early_stop=False)
    return replace(options, **{"repair_paths": 1, "confidence": 0.999, "min_gain": 0.0, **changes})


async def solved(answers: str, **changes: Any) -> tuple[Outcome, SharingModels]:
    models = SharingModels(answers)
    return await run(models, options_of(answers, **changes)), models


def sources(outcome: Outcome, path: int) -> list[Source]:
    return [step.source for step in outcome.run.paths[path].steps]


async def test_the_target_goes_on_behind_what_drafts_share_and_does_not_pay_for_it() -> None:
    outcome, models = await solved("abccc", stop_rule=StopRule.FULL)
    assert sources(outcome, 3) == [Source.SHARED, Source.SHARED, Source.TARGET]
    assert sources(outcome, 4) == [Source.TARGET]
    assert sorted((context.path, context.steps) for context in models.contexts) == [(3, (FIRST, SECOND)), (4, ())]
    usage = outcome.run.ledger.usage()
    assert usage.written_tokens == 2 * TOKENS
    assert usage.drafted_tokens == usage.accepted_tokens == 3 * 3 * TOKENS
    assert (usage.rejected_tokens, outcome.run.ledger.shared_tokens) == (0, 2 * TOKENS)


async def test_without_it_every_target_path_is_fresh() -> None:
    outcome, models = await solved("abccc", repair_paths=0, stop_rule=StopRule.FULL)
    assert [sources(outcome, path) for path in (3, 4)] == [[Source.TARGET]] * 2
    assert {context.steps for context in models.contexts} == {()}


async def test_gamma_counts_shared_tokens_for_nobody() -> None:
    repaired, _ = await solved("abcc", stop_rule=StopRule.FULL)
    ledger = repaired.run.ledger
    written = (ledger.committed_tokens - ledger.shared_tokens - TOKENS) / ledger.committed_tokens
    assert ledger.gamma(selection=True) == pytest.approx(4 * (written * 0.1 + TOKENS / ledger.committed_tokens))


async def test_a_repaired_path_votes_as_a_mended_draft() -> None:
    fresh, _ = await solved("abcd", repair_paths=0, stop_rule=StopRule.FULL, vote="evidence")
    repaired, _ = await solved("abcd", stop_rule=StopRule.FULL, vote="evidence")
    sure = {vote.answer: vote.posterior or 0.0 for vote in repaired.votes}
    surer = {vote.answer: vote.posterior or 0.0 for vote in fresh.votes}
    assert sure["a"] < sure["d"] < surer["d"]


@settings(max_examples=20, deadline=None)
@given(
    answers=st.lists(st.sampled_from("abc"), min_size=4, max_size=6).map("".join),
    repairs=st.integers(0, 1),
    batch=st.integers(1, 2),
    pace=st.integers(0, 9),
)
def test_a_repaired_run_cut_anywhere_goes_on_to_the_same_end(answers: str, repairs: int, batch: int, pace: int) -> None:
    options, full = options_of(answers, repair_paths=repairs, batch=batch), MemoryJournal()
    whole = asyncio.run(run(SharingModels(answers, pace=pace), options, full))
    for kept in range(len(full.decisions) + 1):
        journal, models = MemoryJournal(full.decisions[:kept]), SharingModels(answers, pace=pace + kept)
        again = asyncio.run(run(models, options, journal))
        assert (again.votes, again.run.paths) == (whole.votes, whole.run.paths)
        written = [one for one in journal.decisions[kept:] if isinstance(one, StepCommitted)]
        assert len(models.contexts) == sum(one.step.source is Source.TARGET for one in written)


@pytest.mark.parametrize(
    "changes",
    [{"repair_paths": 3}, {"mode": Mode.SSR, "draft_paths": 0}, {"draft_paths": 1}],
    ids=["more than target paths", "another mode", "one draft"],
)
def test_what_cannot_be_repaired_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="repair_paths"):
        check_options(options_of("abccc", **changes))
    check_options(options_of("abccc", repair_paths=2))
