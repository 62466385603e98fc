"""Flaps: replicas that were asked for and given back, or the reverse, with no reason in the load. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from ssr_bench.autoscale.life import Change


def flaps(changes: Sequence[Change], window_s: float, need: Callable[[float], int]) -> Sequence[float]:
    """The times of the changes that flap.

    `changes` are the numbers asked for, the first being where it began. A change flaps when it goes against the change
    before it, which is less than `window_s` seconds ago, and the need (whole replicas, at a time) has not moved its way
    since: a replica is given up within the window of asking for one and the need has not fallen, or it is asked for
    within the window of giving one up and the need has not risen.
    """
    found = []
    moves = [(later.at_s, later.value - earlier.value) for earlier, later in pairwise(changes)]
    moves = [(at_s, move) for at_s, move in moves if move]
    for (before_s, before), (at_s, move) in pairwise(moves):
        opposite = before * move < 0
        called_for = (need(at_s) - need(before_s)) * move > 0
        if opposite and at_s - before_s < window_s and not called_for:
            found.append(at_s)
    return found
