"""Turns of jobs."""

from __future__ import annotations

from ssr.orchestrator.equivalence.fair_queue import FairQueue


def taken(queue: FairQueue[str]) -> list[str]:
    items = []
    while (item := queue.take()) is not None:
        items.append(item)
    return items


def test_jobs_take_turns() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(item[0], item)
    assert len(queue) == 6
    assert taken(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert len(queue) == 0


def test_a_job_that_was_served_much_goes_behind_those_that_were_not() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.served("greedy", 10.0, in_vain=True)
    for number in range(3):
        queue.put("greedy", f"greedy {number}")
    queue.put("modest", "modest 0")
    queue.put("modest", "modest 1")
    assert taken(queue) == ["modest 0", "modest 1", "greedy 0", "greedy 1", "greedy 2"]


def test_what_looks_costly_goes_behind_the_rest() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.put("a", "tower", above=2)
    queue.put("b", "plain")
    assert taken(queue) == ["plain", "tower"]


def test_little_use_makes_no_difference() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.served("a", 0.5, in_vain=True)
    queue.put("a", "a")
    queue.put("b", "b")
    assert taken(queue) == ["a", "b"]


def test_only_low_levels_may_be_taken() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.put("a", "tower", above=2)
    assert queue.take(up_to=1) is None
    queue.put("b", "plain", above=1)
    assert queue.take(up_to=1) == "plain"
    assert queue.take() == "tower"


def test_seconds_that_brought_an_answer_count_less() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.served("useful", 4.0, in_vain=False)
    queue.served("useless", 4.0, in_vain=True)
    assert queue.level("useful") < queue.level("useless")


def test_a_level_is_told_beforehand() -> None:
    queue: FairQueue[str] = FairQueue(1.0)
    queue.served("a", 10.0, in_vain=True)
    assert queue.level("a", above=2) == queue.put("a", "item", above=2) == queue.lowest
