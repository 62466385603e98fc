"""Whose turn it is, and how much a replica takes."""

from __future__ import annotations

from collections import Counter

from ssr.core.job import Priority
from ssr.orchestrator.run.capacity import Capacity

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH


def test_interactive_jobs_go_first() -> None:
    assert Capacity(64, 64).turn() == (INTERACTIVE, BATCH)


def test_a_job_is_taken_only_while_there_is_room_for_the_largest() -> None:
    capacity = Capacity(32, 32)
    capacity.enter(INTERACTIVE, 16)
    assert capacity.turn() == (INTERACTIVE, BATCH)
    capacity.enter(INTERACTIVE, 1)
    assert capacity.in_use == 17
    assert capacity.turn() == ()
    capacity.leave(INTERACTIVE, 16)
    assert capacity.turn()


def test_batch_jobs_leave_room_for_interactive_ones() -> None:
    capacity = Capacity(48, 32)
    for _ in range(2):
        assert BATCH in capacity.turn()
        capacity.enter(BATCH, 16)
    assert capacity.turn() == (INTERACTIVE,)
    capacity.leave(BATCH, 16)
    assert BATCH in capacity.turn()


def test_batch_jobs_are_not_starved() -> None:
    """Both queues never empty: every fifth job is a batch job."""
    capacity, taken = Capacity(1600, 1600), Counter[Priority]()
    for _ in range(50):
        first = capacity.turn()[0]
        capacity.enter(first, 1)
        taken[first] += 1
    assert taken == {INTERACTIVE: 40, BATCH: 10}


def test_batch_jobs_that_are_preferred_and_absent_do_not_block_the_others() -> None:
    capacity = Capacity(1600, 1600)
    for _ in range(20):
        capacity.enter(INTERACTIVE, 1)
    assert capacity.turn() == (BATCH, INTERACTIVE)
