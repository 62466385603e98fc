"""Drafting rests where it costs more time than it gains, and goes on where it pays."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from ssr.consensus.economy import PassEconomy

#: Milliseconds of a pass, with drafts or without.
Cost = Callable[[int, bool], float]


def _run(economy: PassEconomy, passes: int, cost: Cost, gain: float, rows: int = 40, noise: float = 0.1) -> float:
    """Tokens a millisecond and row of simulated passes; one with drafts yields `gain` tokens a row."""
    dice = Random(4)
    tokens = taken = 0.0
    for _ in range(passes):
        drafts = economy.drafts(rows)
        yielded = gain if drafts else 1.0
        took = cost(rows, drafts) * (1 + noise * dice.random())
        economy.observe(rows, drafts, round(rows * yielded), took / 1000)
        tokens, taken = tokens + yielded, taken + took
    return tokens / taken


def _small_model(rows: int, drafts: bool) -> float:
    """A 1.5B model on an H100 with the drafter in Python, as measured."""
    return 11.2 if drafts else 3.9


def _large_model(rows: int, drafts: bool) -> float:
    return 22.0 if drafts else 20.0


def test_where_drafting_loses_no_more_than_two_percent_are_lost() -> None:
    never = 1.0 / (3.9 * 1.05)
    assert _run(PassEconomy(1.0), 20_000, _small_model, 2.08) > 0.98 * never


def test_where_drafting_pays_nearly_all_of_it_is_gained() -> None:
    always = 2.08 / (22.0 * 1.05)
    assert _run(PassEconomy(1.0), 5_000, _large_model, 2.08) > 0.98 * always


def test_it_is_tried_again_when_the_text_becomes_easier() -> None:
    economy = PassEconomy(1.0)
    _run(economy, 2_000, _large_model, 1.02)
    assert _run(economy, 20_000, _large_model, 2.0) > 0.9 * 2.0 / (22.0 * 1.05)


def test_batches_of_other_sizes_are_judged_by_themselves() -> None:
    def cost(rows: int, drafts: bool) -> float:
        return 4.0 + (0.2 * rows if drafts else 0.0)

    economy = PassEconomy(1.0)
    for rows in (2, 200):
        _run(economy, 3_000, cost, 2.0, rows)
    assert sum(economy.drafts(2) for _ in range(200)) > 190
    assert sum(economy.drafts(200) for _ in range(200)) < 20


def test_a_wait_for_work_is_no_cost_of_drafting() -> None:
    economy = PassEconomy(1.0)
    _run(economy, 100, _large_model, 2.0)
    for _ in range(3):
        economy.observe(40, True, 80, 3600.0)
    assert sum(economy.drafts(40) for _ in range(100)) > 90


def test_without_a_bound_drafting_never_rests() -> None:
    economy = PassEconomy(0.0)
    assert _run(economy, 1_000, _small_model, 1.0) == pytest.approx(1 / (11.2 * 1.05), rel=0.01)
