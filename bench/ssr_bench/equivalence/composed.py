"""Kinds of pairs whose values are composed or computed: intervals, lists, matrices, sums, integrals, limits."""

from __future__ import annotations

import random

from ssr_bench.equivalence.notations import Ways


def interval(dice: random.Random) -> Ways:
    a = dice.randint(-9, 9)
    b = a + dice.randint(1, 9)
    kinds: list[Ways] = [
        ([f"[{a},{b}]", rf"{a} \le x \le {b}", rf"x \in [{a}, {b}]", f"{a} ≤ x ≤ {b}"], [f"[{a},{b})", f"({a},{b})"]),
        ([rf"(-\infty, {a})", f"x < {a}", f"(−∞, {a})", f"{a} > x"], [rf"x \le {a}", f"x > {a}", rf"(-\infty, {b})"]),
        (
            [rf"[{a}, \infty)", rf"x \ge {a}", f"[{a}, ∞)", rf"\left[{a}, +\infty\right)"],
            [f"x > {a}", rf"({a},\infty)"],
        ),
        (
            [rf"(-\infty,{a})\cup({b},\infty)", rf"x<{a}\text{{ or }}x>{b}", f"(−∞, {a}) ∪ ({b}, ∞)"],
            [rf"(-\infty,{a}]\cup({b},\infty)", f"({a},{b})"],
        ),
        (
            [rf"x \ne {a}", rf"(-\infty,{a})\cup({a},\infty)", rf"\mathbb{{R}}\setminus\{{{a}\}}"],
            [f"x = {a}", rf"x \ne {b}"],
        ),
    ]
    return dice.choice(kinds)


def several(dice: random.Random) -> Ways:
    a, b = sorted(dice.sample(range(-20, 20), 2))
    kinds: list[Ways] = [
        (
            [f"{a}, {b}", f"{b}, {a}", rf"\{{{b}, {a}\}}", f"{a} and {b}", rf"{b}\text{{ or }}{a}"],
            [f"({b}, {a}, {b})", f"{a}, {b + 1}"],
        ),
        ([f"x = {a}, {b}", f"x={b} or x={a}", rf"x \in \{{{a}, {b}\}}", f"{a},{b}"], [f"x = {a}", f"{a}, {b}, 99"]),
        (
            [f"({a}, {b})", rf"\left({a}, {b}\right)", f"(x, y) = ({a}, {b})", f"x = {a}, y = {b}"],
            [f"({b}, {a})", rf"\{{{a}, {b}\}}"],
        ),
    ]
    kinds.append(
        (
            [
                rf"{a} \pm \sqrt{{3}}",
                rf"{a} + \sqrt3, {a} - \sqrt3",
                f"{a} ± √3",
                rf"\{{{a} - \sqrt{{3}}, {a} + \sqrt{{3}}\}}",
            ],
            [rf"{a} + \sqrt3", rf"{a} \pm \sqrt{{2}}"],
        )
    )
    return dice.choice(kinds)


def matrix(dice: random.Random) -> Ways:
    a, b, c, d = (dice.randint(-9, 9) for _ in range(4))

    def ways(last: int) -> list[str]:
        found = [rf"\begin{{{k}matrix}} {a} & {b} \\ {c} & {last} \end{{{k}matrix}}" for k in "pb"]
        found.append(rf"\left(\begin{{array}}{{cc}}{a}&{b}\\{c}&{last}\end{{array}}\right)")
        return [*found, rf"\begin{{pmatrix}}{a}&{b}\\{c}&\frac{{{2 * last}}}{{2}}\end{{pmatrix}}"]

    return ways(d), ways(d + 1)


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
