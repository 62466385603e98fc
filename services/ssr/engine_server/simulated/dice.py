"""Chance without state: draws that depend on nothing but what they are asked about.

Every process that asks the same gets the same, so replicas agree and a rerun repeats itself byte by byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")

_NORMAL = NormalDist()


class Dice:
    """Draws for one occasion, named by `parts`; each draw of the occasion has a name of its own."""

    __slots__ = ("_key",)

    def __init__(self, *parts: object) -> None:
        digest = blake2b(digest_size=16)
        for part in parts:
            # Lone surrogates are legal in JSON strings, so they reach us.
            data = str(part).encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        self._key = digest.digest()

    def unit(self, name: str) -> float:
        """Uniform in [0, 1)."""
        digest = blake2b(name.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53

    def below(self, name: str, bound: int) -> int:
        """Uniform in 0 .. bound-1."""
        return int(self.unit(name) * bound)

    def chance(self, name: str, probability: float) -> bool:
        """True with `probability`."""
        return self.unit(name) < probability

    def normal(self, name: str) -> float:
        """Standard normal."""
        return _NORMAL.inv_cdf(max(self.unit(name), 1e-12))

    def pick(self, name: str, options: Sequence[T]) -> T:
        """One of `options`, all equally likely."""
        return options[self.below(name, len(options))]

    def weighted(self, name: str, options: Sequence[T], weights: Sequence[float]) -> T:
        """One of `options`, each as likely as its weight; the weights need not sum to 1."""
        mark = self.unit(name) * math.fsum(weights)
        for option, weight in zip(options, weights, strict=True):
            mark -= weight
            if mark < 0:
                return option
        return options[-1]


NEUTRAL = 0.5  #: of a path without a strategy


def suitability(problem: str, hint: str) -> float:
    """0 (misleads) to 1 (made for it), uniform over strategies; `hint` is the strategy's instruction."""
    if not hint:
        return NEUTRAL
    return Dice("suitability", " ".join(problem.split()), hint).unit("suits")
