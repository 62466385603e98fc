r"""Whether two formulas have the same value wherever both have one.

Formulas with variables are compared at points that no answer is made for, positive and negative ones;
where one of them is not real, both are left alone (`\sqrt{1/m}` and `1/\sqrt{m}` agree for every m that one asks
about). Variables that are usually integers are taken for such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

from ssr.orchestrator.equivalence.comparison.ball import Arithmetic, Number, OutOfReach, Undefined
from ssr.orchestrator.equivalence.comparison.evaluation import PointEvaluation
from ssr.orchestrator.equivalence.reading.expression import Expression

#: Bits of the first look, which finds most differences, and of the one that takes for equal.
_BITS = (160, 640)
_ROUGH_BITS = 80
_INTEGERS = frozenset("klmnN")
_ENOUGH = 3
# Numerators over 97 (a prime), for the first variable; the next ones have others.
_STARTS = (137, -89, 1213, 41, -523, 311, 23, -1907, 3571)
_INTEGER_STARTS = (3, 4, 7, 10, 2, 13, 24, 9, 31)
# Where formulas of several pieces are in their last ones: |x + 5| is x + 5 at all that is above -5.
_FAR_STARTS = (-4801, 9203, -104_729, 1_299_709)
_FAR_INTEGER_STARTS = (100, 1009)
#: Operations whose results are of several pieces; so are powers that are no whole ones.
_PIECEWISE = frozenset(["abs", "floor", "ceil", "max", "min", "sgn", "mod", "root"])

Point = dict[str, Fraction]


def same_value(a: Expression, b: Expression) -> bool:
    """Whether two formulas are equal; what cannot be computed is equal only if it is written the same."""
    if a == b:
        return True
    sign_a, sign_b = infinite(a), infinite(b)
    if sign_a or sign_b:
        return sign_a == sign_b
    bases = (None, 10) if _has_plain_log(a) or _has_plain_log(b) else (None,)
    return any(_same_everywhere(a, b, base) for base in bases)


def infinite(tree: Expression) -> int:
    """1 or -1 for an infinity with its sign, 0 for anything else."""
    if tree.op == "neg":
        return -infinite(tree.args[0])
    if tree.op == "pm":
        return 0
    if tree.op == "+":
        return infinite(tree.args[1]) if tree.args[0] == Expression("num", value=Fraction(0)) else 0
    return 1 if tree == Expression("const", value="inf") else 0


def proportional(a: Expression, b: Expression, *, positive: bool = False) -> bool:
    """Whether a = c b for one number c other than zero (above zero if `positive`): two ways to write an equation."""
    ratios: list[Number] = []
    of = _arithmetic(_BITS[1])
    for point in _points(a.names | b.names):
        at = PointEvaluation(of, point)
        try:
            x, y = at.value(a), at.value(b)
            zero = [not of.differ(value, Fraction(0)) for value in (x, y)]
            if all(zero):
                continue
            if any(zero):
                return False
            ratios.append(of.over(x, y))
        except Undefined:
            continue
        except OutOfReach:
            return False
        if of.differ(ratios[0], ratios[-1]) or (positive and not of.is_positive(ratios[-1])):
            return False
        if len(ratios) >= _ENOUGH:
            return True
    return bool(ratios) and not a.names | b.names


def real_value(tree: Expression) -> float | None:
    """About the value of a real number, for ordering; None for anything else."""
    if sign := infinite(tree):
        return sign * float("inf")
    if tree.names:
        return None
    of = _arithmetic(_ROUGH_BITS)
    try:
        value = of.ball(PointEvaluation(of, {}).value(tree))
        return float(of.mp.re(value.value)) if of.is_real(value) else None
    except (Undefined, OutOfReach, OverflowError):
        return None


def exact_value(tree: Expression) -> Fraction | None:
    """The value of a rational number; None for anything else."""
    if tree.names:
        return None
    try:
        value = PointEvaluation(_arithmetic(_ROUGH_BITS), {}).value(tree)
    except (Undefined, OutOfReach):
        return None
    return value if isinstance(value, Fraction) else None


def _has_plain_log(tree: Expression) -> bool:
    return (tree.op == "log" and len(tree.args) == 1) or any(map(_has_plain_log, tree.args))


def _same_everywhere(a: Expression, b: Expression, log_base: int | None) -> bool:
    agreed = differed = 0
    names = a.names | b.names
    piecewise = bool(names) and any(map(_is_piecewise, (a, b)))
    for point in _points(names):
        verdict = _same_at(a, b, point, log_base)
        if verdict is False:
            return False
        agreed += verdict is True
        differed += verdict is None
        if not piecewise and (agreed >= _ENOUGH or (agreed and not names)):
            return True
    return agreed > differed and not (piecewise and any(_differ_at(a, b, point, log_base) for point in _far(names)))


def _is_piecewise(tree: Expression) -> bool:
    if tree.op == "^" and tree.args[1].op != "num" and not tree.args[1].names:
        return True  # a power with a fraction or a root in its exponent
    return tree.op in _PIECEWISE or any(map(_is_piecewise, tree.args))


def _differ_at(a: Expression, b: Expression, point: Point, log_base: int | None) -> bool:
    """Whether they are known to have different real values there."""
    of = _arithmetic(_BITS[0])
    x, y = (_value(PointEvaluation(of, point, log_base), tree) for tree in (a, b))
    if isinstance(x, str) or isinstance(y, str):
        return False
    return of.is_real(x) and of.is_real(y) and of.differ(x, y)


def _same_at(a: Expression, b: Expression, point: Point, log_base: int | None) -> bool | None:
    """Whether they are the same there; None where one has no value, or no real one while they differ."""
    for bits in _BITS:
        of = _arithmetic(bits)
        at = PointEvaluation(of, point, log_base)
        x, y = _value(at, a), _value(at, b)
        if isinstance(x, str) or isinstance(y, str):
            return None if point and "undefined" in (x, y) else False
        if isinstance(x, Fraction) and isinstance(y, Fraction):
            return x == y
        if of.differ(x, y):
            return False if not point or (of.is_real(x) and of.is_real(y)) else None
        known = of.known(x, y)
    return known


@cache
def _arithmetic(bits: int) -> Arithmetic:
    """Of one precision; it costs more to make than to use."""
    return Arithmetic(bits)


def _value(at: PointEvaluation, tree: Expression) -> Number | str:
    try:
        return at.value(tree)
    except Undefined:
        return "undefined"
    except OutOfReach:
        return "out of reach"


def _points(names: frozenset[str]) -> Iterator[Point]:
    return _from(names, _STARTS, _INTEGER_STARTS)


def _far(names: frozenset[str]) -> Iterator[Point]:
    """Far from zero, and with variables on both sides of it: |x| + |y| is |x + y| where both are positive."""
    yield from _from(names, _FAR_STARTS, _FAR_INTEGER_STARTS)
    for point in _from(names, _STARTS, _INTEGER_STARTS) if len(names) > 1 else ():
        yield {name: value * (-1) ** place for place, (name, value) in enumerate(sorted(point.items()))}


def _from(names: frozenset[str], starts: Sequence[int], integer_starts: Sequence[int]) -> Iterator[Point]:
    ordered: Sequence[str] = sorted(names)
    whole = bool(names) and all(name[:1] in _INTEGERS and len(name) == 1 for name in names)
    for start in integer_starts if whole else starts:
        if whole:
            yield {name: Fraction(start + 3 * place) for place, name in enumerate(ordered)}
        else:
            sign = -1 if start < 0 else 1
            yield {
                name: Fraction(start + sign * place * (29 + abs(start) // 3), 97) for place, name in enumerate(ordered)
            }
        if not names:
            return
