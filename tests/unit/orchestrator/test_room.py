"""Whose turn it is, and how much a replica takes."""

from __future__ import annotations

from collections import Counter

from ssr.core.job import Priority
from ssr.orchestrator.room import Room

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH


def test_interactive_jobs_go_first() -> None:
    assert Room(64, 64).turn() == (INTERACTIVE, BATCH)


def test_a_job_is_taken_only_while_there_is_room_for_the_largest() -> None:
    room = Room(32, 32)
    room.enter(INTERACTIVE, 16)
    assert room.turn() == (INTERACTIVE, BATCH)
    room.enter(INTERACTIVE, 1)
    assert room.in_use == 17
    assert room.turn() == ()
    room.leave(INTERACTIVE, 16)
    assert room.turn()


def test_batch_jobs_leave_room_for_interactive_ones() -> None:
    room = Room(48, 32)
    for _ in range(2):
        assert BATCH in room.turn()
        room.enter(BATCH, 16)
    assert room.turn() == (INTERACTIVE,)
    room.leave(BATCH, 16)
    assert BATCH in room.turn()


def test_batch_jobs_are_not_starved() -> None:
    """Both queues never empty: every fifth job is a batch job."""
    room, taken = Room(1600, 1600), Counter[Priority]()
    for _ in range(50):
        first = room.turn()[0]
        room.enter(first, 1)
        taken[first] += 1
    assert taken == {INTERACTIVE: 40, BATCH: 10}


def test_batch_jobs_that_are_preferred_and_absent_do_not_block_the_others() -> None:
    room = Room(1600, 1600)
    for _ in range(20):
        room.enter(INTERACTIVE, 1)
    assert room.turn() == (BATCH, INTERACTIVE)
