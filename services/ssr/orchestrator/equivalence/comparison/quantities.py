r"""Quantities: units count where both have them.

`5 hours` and `5` agree, `5 hours` and `5 minutes` do not, `1 hour` and `60 minutes` do. `50\%` is 50 where one leaves
the sign out, and 0.5 by value; not the latter where the problem asks for a percentage. `101_2` is 5, and 101 where
the problem speaks of a base.
"""

from __future__ import annotations

from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.comparison.formulas import same_value
from ssr.orchestrator.equivalence.reading.expression import Expression, constant, number
from ssr.orchestrator.equivalence.reading.forms import Quantity
from ssr.orchestrator.equivalence.reading.units import DEGREE, PERCENT, RADIAN, Unit

_HALF_TURN = {DEGREE.bases: number(180), RADIAN.bases: constant("pi")}


def same_quantity(a: Quantity, b: Quantity, context: Context) -> bool:
    if a.unit is None and b.unit is None:
        return same_value(a.formula, b.formula) or (context.based and bool(a.digits) and a.digits == b.digits)
    if a.unit is not None and b.unit is not None:
        return _with_units(a.formula, a.unit, b.formula, b.unit)
    measured, bare = (a, b) if a.unit is not None else (b, a)
    assert measured.unit is not None
    if bare.perhaps is not None:
        return _with_units(measured.formula, measured.unit, bare.formula.args[0], bare.perhaps)
    return same_value(measured.formula, bare.formula) or _by_value(measured, measured.unit, bare, context)


def _with_units(a: Expression, unit_a: Unit, b: Expression, unit_b: Unit) -> bool:
    turns = [_HALF_TURN.get(unit.bases) for unit in (unit_a, unit_b)]
    if turns[0] is not None and turns[1] is not None:
        return same_value(Expression("/", (a, turns[0])), Expression("/", (b, turns[1])))
    if not unit_a.fits(unit_b):
        return False
    if unit_a.bases != unit_b.bases:  # things that are counted, and pounds
        return same_value(a, b)
    return same_value(_scaled(a, unit_a), _scaled(b, unit_b))


def _by_value(measured: Quantity, unit: Unit, bare: Quantity, context: Context) -> bool:
    """A percentage as a fraction, and degrees as a part of pi."""
    if unit == PERCENT and not context.percent:
        return same_value(Expression("/", (measured.formula, number(100))), bare.formula)
    if unit == DEGREE and _is_angle(bare.formula):
        turns = Expression("/", (measured.formula, number(180)))
        return same_value(Expression("*", (turns, constant("pi"))), bare.formula)
    return False


def _is_angle(tree: Expression) -> bool:
    """Whether it looks like an angle in radians."""
    return tree == constant("pi") or tree.op.startswith("arc") or any(map(_is_angle, tree.args))


def _scaled(formula: Expression, unit: Unit) -> Expression:
    return formula if unit.factor == 1 else Expression("*", (formula, number(unit.factor)))
