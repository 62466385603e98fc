"""How a replica's limit is found, and found again."""

from __future__ import annotations

import random
from statistics import mean

from ssr.engines.concurrency import ConcurrencyLimit


def test_a_burst_shows_what_the_replica_holds() -> None:
    limit = ConcurrencyLimit(64)
    for running in range(64, 16, -1):  # 64 calls that went there at once, of which it takes 16
        limit.refused(now=1.0, started=0.0, others=running - 1)
    assert limit.at(1.0) == 16


def test_a_lone_refusal_leaves_room_for_others() -> None:
    limit = ConcurrencyLimit(64)
    limit.refused(now=1.0, started=0.5, others=20)
    assert limit.at(1.0) == 17


def test_it_grows_slowly_up_to_the_most() -> None:
    limit = ConcurrencyLimit(20)
    limit.refused(now=0.0, started=-1.0, others=10)
    assert [limit.at(now) for now in (0.0, 1.9, 2.0, 10.0, 60.0)] == [8, 8, 9, 13, 20]
    limit.refused(now=10.0, started=9.0, others=14)
    assert limit.at(10.0) == 11


def test_one_call_is_always_tried() -> None:
    limit = ConcurrencyLimit(64)
    for now in range(5):
        limit.refused(now=float(now), started=now - 0.5, others=0)
    assert limit.at(4.0) == 1


def test_two_who_share_a_replica_come_to_equal_parts() -> None:
    """Calls at a time of one that was there first, and of a newcomer; the replica takes 16 and is always full."""
    rng, first, second = random.Random(1), ConcurrencyLimit(64), ConcurrencyLimit(64)
    first.refused(0.0, -1.0, 16)
    second.refused(0.0, -1.0, 1)
    seen = []
    for tick in range(1, 1200):
        now = tick * 0.5
        while (asked := first.at(now) + second.at(now)) > 16:  # whose call comes last is refused
            limit = first if rng.random() < first.at(now) / asked else second
            limit.refused(now, now - 0.1, limit.at(now) - 1)
        seen.append((first.at(now), second.at(now)))
    means = [mean(pair) for pair in zip(*seen[400:], strict=True)]
    assert min(means) > 6.5
    assert sum(means) > 14
