"""Kinds of pairs whose values are composed or computed: durations, ratios, distances, sums, integrals, limits."""

from __future__ import annotations

import random

#: The ways to write a value, and those to write the near miss.
Ways = tuple[list[str], list[str]]


def duration(dice: random.Random) -> Ways:
    hours, minutes = dice.randint(1, 9), dice.randint(1, 59)

    def ways(m: int) -> list[str]:
        total = 60 * hours + m
        found = [f"{hours} hours {m} minutes", f"{hours}h {m}min", f"{hours} hours, {m} minutes", f"{total} minutes"]
        return [*found, f"{hours} hours and {m} minutes", rf"{total}\text{{ min}}", rf"{60 * total}\,\mathrm{{s}}"]

    return ways(minutes), [*ways(minutes + 1), f"{hours} hours", f"{minutes} minutes"]


def ratio(dice: random.Random) -> Ways:
    a, b = dice.sample(range(1, 20), 2)
    ways = [f"{a}:{b}", f"{a} : {b}", f"{2 * a}:{2 * b}", f"{a} to {b}", rf"\text{{{a} to {b}}}", rf"{a}\!:\!{b}"]
    return ways, [f"{b}:{a}", f"{a} to {a + b}", f"{a + 1}:{b + 3}" if a * (b + 3) != b * (a + 1) else f"{a}:{b + 1}"]


def distance(dice: random.Random) -> Ways:
    centre, size = dice.randint(1, 9), dice.randint(1, 9)
    low, high = centre - size, centre + size
    return (
        [f"|x-{centre}| < {size}", rf"\left|x - {centre}\right| < {size}", f"{low} < x < {high}", f"({low}, {high})"],
        [rf"|x-{centre}| \le {size}", f"|x-{centre}| > {size}", f"|x-{centre}| < {size + 1}", f"[{low}, {high}]"],
    )


def series(dice: random.Random) -> Ways:
    n = dice.randint(2, 40)

    def ways(m: int) -> list[str]:
        found = [rf"\sum_{{k=1}}^{{{m}}} k", f"{m * (m + 1) // 2}", rf"\frac{{{m} \cdot {m + 1}}}{{2}}"]
        return [*found, f"∑_{{i=1}}^{{{m}}} i", rf"\binom{{{m + 1}}}{{2}}", rf"\displaystyle\sum_{{j=0}}^{{{m}}} j"]

    return ways(n), ways(n + 1)


def calculus(dice: random.Random) -> Ways:
    n = dice.randint(2, 30)

    def ways(m: int) -> list[str]:
        found = [rf"\int_0^{{{m}}} 2x\,dx", f"{m * m}", rf"\lim_{{x\to 0}} \frac{{\sin {m * m}x}}{{x}}", f"{m}²"]
        return [
            *found,
            rf"\int_{{0}}^{{1}} {m * m} \, \mathrm{{d}}t",
            rf"\sum_{{k=1}}^{{\infty}} \frac{{{m * m}}}{{2^k}}",
        ]

    return ways(n), [*ways(n + 1), f"{2 * n}" if n != 2 else "5"]
