"""Pairs of answers that agree and pairs that differ, generated from a seed.

Every kind makes a value, several ways to write it, and a near miss: another value of the same kind, close by. A pair
that agrees is two ways of one value; one that differs is a way of the value and a way of the near miss.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from ssr_bench.equivalence.composed import calculus, distance, interval, matrix, series, several
from ssr_bench.equivalence.notations import Ways, fractions, integers, superscript, words, wrapped
from ssr_bench.equivalence.quantities import date, duration, measure, money, percent, ratio, time


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """`problem`: what is asked, where that matters."""

    kind: str
    a: str
    b: str
    same: bool
    problem: str = ""


def pairs(seed: int, count: int) -> Iterator[AnswerPair]:
    """`count` pairs that agree and as many that differ, of all kinds in turn."""
    dice = random.Random(seed)
    kinds = list(_KINDS.items())
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        ways, misses = make(dice)
        a, b = dice.sample(ways, 2)
        problem = _PROBLEMS.get(kind, "")
        yield AnswerPair(kind, a, b, True, problem)
        ways, misses = make(dice)
        yield AnswerPair(kind, dice.choice(ways), dice.choice(misses), False, problem)


def _integer(dice: random.Random) -> Ways:
    number = dice.choice([dice.randint(-99, 99), dice.randint(100, 99_999), dice.randint(10**6, 10**9)])
    other = number + dice.choice([1, -1, 10, number or 7])
    return [wrapped(dice, way) if "\\" in way else way for way in integers(number)], list(integers(other))


def _fraction(dice: random.Random) -> Ways:
    value = Fraction(dice.randint(-30, 30) * 12 + dice.choice([1, 5, 7, 11]), dice.choice([2, 3, 4, 6, 8, 9, 11, 12]))
    if value.denominator == 1:
        value += Fraction(1, 2)
    return list(fractions(value)), list(fractions(value + Fraction(1, dice.choice([5, 7, 64, 1000]) * 13)))


def _tiny(dice: random.Random) -> Ways:
    base, power = dice.choice([2, 3, 5, 7, 10]), dice.randint(15, 80)

    def ways(n: int) -> list[str]:
        found = [rf"\frac{{1}}{{{base}^{{{n}}}}}", f"{base}^{{-{n}}}", rf"\left(\frac{{1}}{{{base}}}\right)^{{{n}}}"]
        found += [f"{base}{superscript(-n)}", f"1/{base}^{n}", f"one over {words(base)} to the power of {words(n)}"]
        return [*found, rf"\frac{{{base}}}{{{base}^{{{n + 1}}}}}"]

    return ways(power), ways(power + 1)


def _root(dice: random.Random) -> Ways:
    factor, inner = dice.randint(2, 12), dice.choice([2, 3, 5, 6, 7, 10, 11, 13])

    def ways(f: int) -> list[str]:
        found = [rf"{f}\sqrt{{{inner}}}", f"{f}√{inner}", f"{f} sqrt({inner})", rf"\sqrt{{{f * f * inner}}}"]
        found += [rf"\frac{{{f * inner}}}{{\sqrt{{{inner}}}}}", rf"{f} \cdot {inner}^{{1/2}}"]
        return [*found, f"{words(f)} times the square root of {words(inner)}", rf"\sqrt{{{inner}}} \times {f}"]

    return ways(factor), dice.choice([ways(factor + 1), [str(factor), rf"-{factor}\sqrt{{{inner}}}"]])


def _constant(dice: random.Random) -> Ways:
    n = dice.randint(2, 30)
    signs = {"e": ["e", r"\mathrm{e}", "ℯ"], "pi": [r"\pi", "π", r"\text{π}"], "i": ["i", r"\mathrm{i}", r"\text{i}"]}
    name = dice.choice(list(signs))

    def ways(f: int) -> list[str]:
        return [f"{f}{sign}" for sign in signs[name]] + [rf"{f} \cdot {sign}" for sign in signs[name]]

    value = {"e": "2.71828", "pi": "3.14159", "i": "1"}[name]
    return ways(n), [*ways(n + 1), f"{n}", f"{n * float(value):.4f}"]


def _scientific(dice: random.Random) -> Ways:
    mantissa, power = dice.randint(11, 99), dice.randint(3, 12)

    def ways(p: int) -> list[str]:
        head = f"{mantissa // 10}.{mantissa % 10}"
        found = [rf"{head} \times 10^{{{p}}}", f"{head}e{p}", f"{head} × 10{superscript(p)}"]
        found.append(f"{mantissa * 10 ** (p - 1)}")

        return [*found, rf"{head}\cdot 10^{p}" if p < 10 else f"{head}E{p}", f"{mantissa * 10 ** (p - 1):,}"]

    return ways(power), ways(power + 1)


def _polynomial(dice: random.Random) -> Ways:
    a, b = dice.randint(1, 9), dice.randint(-9, -1)

    def ways(p: int, q: int) -> list[str]:
        total, product = p + q, p * q
        plain = f"x^2{total:+d}x{product:+d}" if total else f"x^2{product:+d}"
        found = [plain, f"(x{p:+d})(x{q:+d})", rf"\left(x{q:+d}\right)\left(x{p:+d}\right)", plain.replace("x^2", "x²")]
        return [*found, f"{product}{total:+d}x + x^{{2}}", rf"x \cdot x {total:+d} \cdot x {product:+d}"]

    return ways(a, b), [*ways(a + 1, b), *ways(-a, -b)] if a != -b else ways(a + 1, b)


def _rational(dice: random.Random) -> Ways:
    n = dice.randint(2, 9)

    def ways(k: int) -> list[str]:
        found = [rf"\frac{{x}}{{{k}}}", f"x/{k}", rf"\frac{{1}}{{{k}}}x", rf"\frac{{2x}}{{{2 * k}}}", f"{k}^{{-1}} x"]
        return [*found, rf"\dfrac{{x^2}}{{{k}x}}"]

    return ways(n), [*ways(n + 1), rf"\frac{{{n}}}{{x}}", rf"\frac{{x+1}}{{{n}}}"]


def _trigonometry(dice: random.Random) -> Ways:
    values = [
        (["1/2", r"\sin 30^\circ", r"\cos\frac{\pi}{3}", r"\sin\left(\frac{\pi}{6}\right)", "½"], [r"\sin 45^\circ"]),
        ([r"\frac{\sqrt3}{2}", "√3/2", r"\cos 30°", r"\sin\frac{\pi}{3}"], [r"\frac{\sqrt2}{2}", r"\frac{\sqrt3}{3}"]),
        ([r"\sin 2x", r"2\sin x\cos x", r"2 \cos(x) \sin(x)"], [r"\sin^2 x", r"2\sin x"]),
        ([r"\tan x", r"\frac{\sin x}{\cos x}", r"\frac{1}{\cot x}"], [r"\cot x", r"\tan 2x"]),
        ([r"\frac{\pi}{4}", r"\arctan 1", "π/4", "45°", r"\tan^{-1} 1"], [r"\frac{\pi}{3}", "44°"]),
        ([r"\ln 8", r"3\ln 2", r"\log_e 8"], [r"\ln 9", r"2 \ln 3"]),
        (["3", r"\log_2 8", r"\log_{10} 1000", r"\lg 1000"], [r"\log_2 9", r"\log_3 8"]),
    ]
    return dice.choice(values)


def _choice(dice: random.Random) -> Ways:
    letter, other = dice.sample("ABCDE", 2)
    value = 10 + 2 * "ABCDE".index(letter)
    wrong = 10 + 2 * "ABCDE".index(other)
    ways = [letter, f"({letter})", f"{letter})", rf"\text{{{letter}}}", rf"\textbf{{({letter})}}", f"{letter}) {value}"]
    ways += [
        f"{letter}: {value}",
        rf"\textbf{{({letter})}}\ {value}",
        rf"\mathrm{{({letter})}}",
        f"({letter}) ${value}$",
    ]
    return ways, [other, f"({other})", f"{other}) {wrong}", rf"\textbf{{({other})}}\ {wrong}"]


def _equation(dice: random.Random) -> Ways:
    a, b = dice.randint(2, 9), dice.randint(1, 9)

    def ways(m: int, k: int) -> list[str]:
        return [f"y = {m}x + {k}", f"{m}x + {k} = y", f"y - {m}x = {k}", f"2y = {2 * m}x + {2 * k}", f"y={k}+{m}x"]

    return ways(a, b), [*ways(a + 1, b), *ways(a, b + 1)]


def _complex(dice: random.Random) -> Ways:
    a, b = dice.randint(1, 9), dice.randint(2, 9)

    def ways(p: int, q: int) -> list[str]:
        return [f"{p}+{q}i", f"{q}i+{p}", rf"{p} + {q}\mathrm{{i}}", f"({q}-{p}i)i", rf"{p} + i \cdot {q}"]

    return ways(a, b), [f"{a}-{b}i", *ways(a, b + 1), *ways(a + 1, b)]


def _text(dice: random.Random) -> Ways:
    names = ("Monday", "Tuesday", "Alice", "Bob", "yes", "no", "even", "odd", "circle", "ellipse", "parabola")
    name, other = dice.sample(names, 2)
    return [name, rf"\text{{{name}}}", name.lower(), f"{name}.", rf"\textbf{{{name}}}"], [other, rf"\text{{{other}}}"]


def _modular(dice: random.Random) -> Ways:
    m = dice.randint(3, 20)
    r = dice.randint(0, m - 1)
    ways = [rf"{r} \pmod{{{m}}}", rf"x \equiv {r} \pmod{{{m}}}", f"{r} mod {m}", rf"{r + m} \pmod {{{m}}}"]
    return ways, [rf"{(r + 1) % m} \pmod{{{m}}}", rf"{r} \pmod{{{m + 1}}}"]


_KINDS: dict[str, Callable[[random.Random], Ways]] = {
    "integer": _integer,
    "fraction": _fraction,
    "tiny": _tiny,
    "root": _root,
    "constant": _constant,
    "scientific": _scientific,
    "polynomial": _polynomial,
    "rational": _rational,
    "trigonometry": _trigonometry,
    "interval": interval,
    "several": several,
    "matrix": matrix,
    "choice": _choice,
    "money": money,
    "measure": measure,
    "percent": percent,
    "time": time,
    "date": date,
    "equation": _equation,
    "complex": _complex,
    "text": _text,
    "modular": _modular,
    "duration": duration,
    "ratio": ratio,
    "distance": distance,
    "series": series,
    "calculus": calculus,
}
_PROBLEMS = {
    "ratio": "What is the ratio of boys to girls?",
    "choice": "Which is it? (A) 10 (B) 12 (C) 14 (D) 16 (E) 18",
}
