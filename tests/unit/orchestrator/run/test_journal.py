"""How long a step took, as it is measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tree_models import MemoryJournal

from ssr.core.job import Priority
from ssr.core.run import PathEnded, Selected, StepCommitted
from ssr.core.types import NO_STRATEGY, Mode, Options, PathStatus, Source, Step
from ssr.orchestrator.run.journal import RecordedJournal


async def test_a_step_counts_from_the_one_before_and_a_reserve_from_when_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, seconds = [0.0], []
    monkeypatch.setattr("ssr.orchestrator.run.journal.time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def committed(mode: Mode, decision: StepCommitted, took_s: float) -> None:
        seconds.append((decision.path, decision.step.index, took_s))

    steps = SimpleNamespace(committed=committed, selected=lambda _: None, ended=lambda _: None)
    watch: Any = SimpleNamespace(steps=steps, jobs=SimpleNamespace(first_step=lambda mode, age_s: None))
    journal = RecordedJournal(MemoryJournal(), watch, Options(paths=3, reserve=1), Priority.BATCH, lambda: 0.0)
    for clock[0], decision in (
        (1.0, Selected((NO_STRATEGY,) * 3)),
        (3.0, StepCommitted(0, Step(0, "a", Source.DRAFT, 5))),
        (4.0, PathEnded(0, PathStatus.ANSWERED, "1")),
        (6.0, StepCommitted(1, Step(0, "b", Source.DRAFT, 5))),
        (10.0, PathEnded(1, PathStatus.ANSWERED, "2")),
        (17.0, StepCommitted(2, Step(0, "c", Source.TARGET, 5))),
        (20.0, StepCommitted(2, Step(1, "d", Source.TARGET, 5))),
    ):
        await journal.append(decision)
    assert seconds == [(0, 0, 2.0), (1, 0, 5.0), (2, 0, 7.0), (2, 1, 3.0)]
