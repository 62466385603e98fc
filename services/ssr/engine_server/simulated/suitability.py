"""How well a strategy suits a problem in the simulated world: a fact, not any model's opinion."""

from __future__ import annotations

from ssr.engine_server.simulated.dice import Dice

NEUTRAL = 0.5  #: of a path without a strategy


def suitability(problem: str, hint: str) -> float:
    """0 (misleads) to 1 (made for it), uniform over strategies; `hint` is the strategy's instruction."""
    if not hint:
        return NEUTRAL
    return Dice("suitability", " ".join(problem.split()), hint).unit("suits")
