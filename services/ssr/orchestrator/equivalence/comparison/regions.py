"""Sets of real numbers as intervals in order: what bounds, unions and inequalities of one variable come to."""

from __future__ import annotations

from collections.abc import Sequence

from ssr.orchestrator.equivalence.comparison.formulas import real_value, same_value
from ssr.orchestrator.equivalence.reading.expression import Expression, constant, number
from ssr.orchestrator.equivalence.reading.forms import Form, Interval, Items, Joined, Named, Quantity, Reals, Relation

_HIGH = constant("inf")
_LOW = Expression("neg", (_HIGH,))

Region = list[Interval]


def region_of(form: Form) -> Region | None:
    """The intervals that a form is, in order; None where it is no such set, or their order is not known."""
    pieces = _pieces(form)
    if pieces is None:
        return None
    ends = [real_value(piece.low) for piece in pieces]
    if len(pieces) > 1 and None in ends:
        return None
    ordered = [piece for _, piece in sorted(zip(ends, pieces, strict=True), key=lambda item: item[0] or 0.0)]
    return _merged(ordered)


def same_region(a: Sequence[Interval], b: Sequence[Interval]) -> bool:
    return len(a) == len(b) and all(
        (x.low_closed, x.high_closed) == (y.low_closed, y.high_closed)
        and same_value(x.low, y.low)
        and same_value(x.high, y.high)
        for x, y in zip(a, b, strict=True)
    )


def variable_of(form: Form) -> str | None:
    """The variable that an inequality bounds, or a named set is about; None where there is none."""
    if isinstance(form, Named):
        return form.name
    if isinstance(form, Relation):
        return next(iter(form.left.names | form.right.names), None)
    if isinstance(form, Items | Joined):
        names = {name for part in form.parts if (name := variable_of(part)) is not None}
        return names.pop() if len(names) == 1 else None
    return None


def is_region(form: Form) -> bool:
    """Whether it can be nothing but a set of real numbers."""
    if isinstance(form, Named):
        return is_region(form.form)
    if isinstance(form, Items):
        return form.kind == "list" and any(map(is_region, form.parts))
    if isinstance(form, Relation):
        return form.op != "=" and _bound(form) is not None
    return isinstance(form, Interval | Joined) or form == Reals("R")


def _pieces(form: Form) -> Region | None:
    if isinstance(form, Interval):
        return [form]
    if isinstance(form, Named):
        return _pieces(form.form)
    if isinstance(form, Relation):
        return _bound(form)
    if isinstance(form, Joined):
        return _joined(form)
    if isinstance(form, Items):
        return _items(form)
    return [Interval(_LOW, _HIGH, False, False)] if form == Reals("R") else None


def _items(form: Items) -> Region | None:
    if form.kind == "tuple":
        ends = [part.formula for part in form.parts if isinstance(part, Quantity) and part.unit is None]
        return [Interval(ends[0], ends[1], False, False)] if len(ends) == len(form.parts) == 2 else None
    pieces: Region = []
    for part in form.parts:
        if isinstance(part, Quantity):
            pieces.append(Interval(part.formula, part.formula, True, True))
        elif (more := _pieces(part)) is not None:
            pieces.extend(more)
        else:
            return None
    if len({name for part in form.parts if (name := variable_of(part)) is not None}) > 1:
        return None
    if form.joined != "or" and (left_out := _left_out(form)):
        return _without(Interval(_LOW, _HIGH, False, False), left_out)
    bounds = all(isinstance(part, Relation) for part in form.parts)
    return (bounds and form.joined != "or" and _common(pieces)) or pieces


def _left_out(form: Items) -> list[Expression]:
    """1 and 2 of x != 1, x != 2; nothing where there is anything else."""
    points = [
        part.right if part.left.op == "var" else part.left
        for part in form.parts
        if isinstance(part, Relation) and part.op == "!=" and "var" in (part.left.op, part.right.op)
    ]
    return points if len(points) == len(form.parts) and not any(point.names for point in points) else []


def _common(pieces: Sequence[Interval]) -> Region | None:
    """What all of the bounds hold of: x > 0 and x < 5; None where that is nothing ("x < 0 and x > 5" means either)."""
    ends = [(real_value(piece.low), real_value(piece.high)) for piece in pieces]
    lows, highs = [low for low, _ in ends if low is not None], [high for _, high in ends if high is not None]
    if len(pieces) < 2 or len(lows) < len(pieces) or len(highs) < len(pieces) or max(lows) >= min(highs):
        return None
    low, high = pieces[lows.index(max(lows))], pieces[highs.index(min(highs))]
    return [Interval(low.low, high.high, low.low_closed, high.high_closed)]


def _joined(form: Joined) -> Region | None:
    parts = [_pieces(part) for part in form.parts]
    pieces = [piece for part in parts if part is not None for piece in part]
    if None in parts or form.op == "cap":
        return None
    if form.op == "cup":
        return pieces
    whole, *points = pieces
    if any(not same_value(point.low, point.high) for point in points):
        return None
    return _without(whole, [point.low for point in points])


def _without(whole: Interval, points: list[Expression]) -> Region | None:
    """An interval without some of its inner points."""
    values = [real_value(point) for point in points]
    if None in values:
        return None if len(points) > 1 else _cut(whole, points)
    return _cut(
        whole, [point for _, point in sorted(zip(values, points, strict=True), key=lambda item: item[0] or 0.0)]
    )


def _cut(whole: Interval, points: list[Expression]) -> Region:
    pieces, low, closed = [], whole.low, whole.low_closed
    for point in points:
        pieces.append(Interval(low, point, closed, False))
        low, closed = point, False
    return [*pieces, Interval(low, whole.high, closed, whole.high_closed)]


def _bound(form: Relation) -> Region | None:
    """x < 5 as an interval; None where no side is a variable alone."""
    left, right, closed = form.left, form.right, form.op == "<="
    if form.op == "=":
        return None
    if left.op == "abs" or right.op == "abs":
        return _distance(form)
    if left.op == "var" and not right.names:
        if form.op == "!=":
            return _cut(Interval(_LOW, _HIGH, False, False), [right])
        return [Interval(_LOW, right, False, closed)]
    if right.op == "var" and not left.names:
        if form.op == "!=":
            return _cut(Interval(_LOW, _HIGH, False, False), [left])
        return [Interval(left, _HIGH, closed, False)]
    return None


def _distance(form: Relation) -> Region | None:
    """|x - 3| < 2 as what lies around 3, and |x - 3| > 2 as what does not; None where the bound is not positive."""
    within = form.left.op == "abs"
    inner, bound = (form.left.args[0], form.right) if within else (form.right.args[0], form.left)
    centre = _centre(inner)
    if centre is None or form.op == "!=" or bound.names or not (real_value(bound) or 0) > 0:
        return None
    low = Expression("+", (centre, Expression("neg", (bound,))))
    high, closed = Expression("+", (centre, bound)), form.op == "<="
    if within:
        return [Interval(low, high, closed, closed)]
    return [Interval(_LOW, low, False, closed), Interval(high, _HIGH, closed, False)]


def _centre(inner: Expression) -> Expression | None:
    """3 for x - 3."""
    if inner.op == "var":
        return number(0)
    if inner.op == "+" and inner.args[0].op == "var" and not inner.args[1].names:
        return Expression("neg", (inner.args[1],))
    return None


def _merged(pieces: Region) -> Region:
    """Neighbours that touch in a point which belongs to one of them are one interval."""
    merged: Region = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and (last.high_closed or piece.low_closed) and same_value(last.high, piece.low):
            merged[-1] = Interval(last.low, piece.high, last.low_closed, piece.high_closed)
        else:
            merged.append(piece)
    return merged
