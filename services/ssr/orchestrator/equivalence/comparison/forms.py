"""Whether two forms say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.comparison.formulas import exact_value, proportional, same_value
from ssr.orchestrator.equivalence.comparison.quantities import same_quantity
from ssr.orchestrator.equivalence.comparison.regions import is_region, region_of, same_region, variable_of
from ssr.orchestrator.equivalence.reading.clock import Day, TimeOfDay
from ssr.orchestrator.equivalence.reading.expression import Expression, number, variable
from ssr.orchestrator.equivalence.reading.forms import (
    Choice,
    Congruence,
    Form,
    Interval,
    Items,
    Joined,
    Matrix,
    Named,
    Quantity,
    Ratio,
    Reals,
    Relation,
    Words,
)
from ssr.orchestrator.equivalence.reading.formula import expression
from ssr.orchestrator.equivalence.reading.tokens import NotRead, tokens_of

_EMPTY = Items("set", ())
_NO_SOLUTION = Words("no solution")
_PROSE = re.compile(r"[a-z]{3,}[a-z' ]*")
_GREEK_NAME = re.compile(r"\\[A-Za-z]+.*")


class Comparison:
    """Compares forms of answers to one problem."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rules: dict[tuple[type, type], Callable[[Any, Any], bool]] = {
            (Quantity, Quantity): lambda a, b: same_quantity(a, b, context),
            (Items, Items): self._items,
            (Matrix, Matrix): self._matrices,
            (Matrix, Items): self._vector,
            (Ratio, Ratio): lambda a, b: _ratios(a.parts, b.parts),
            (Ratio, Quantity): _quotient,
            (TimeOfDay, Ratio): lambda a, b: not a.certain and _ratios(_hours(a), b.parts),
            (TimeOfDay, Quantity): lambda a, b: not a.certain and _quotient(Ratio(_hours(a)), b),
            (TimeOfDay, TimeOfDay): TimeOfDay.same,
            (Day, Day): Day.same,
            (Words, Words): lambda a, b: a == b,
            (Words, Items): lambda a, b: a == _NO_SOLUTION and b == _EMPTY,
            (Reals, Reals): lambda a, b: a == b,
            (Congruence, Congruence): _congruences,
            (Congruence, Quantity): lambda a, b: same_value(a.residue, b.formula),
            (Relation, Relation): _relations,
            (Choice, Choice): _choices,
            (Choice, Quantity): lambda a, b: b.formula == variable(a.label) and b.unit is None,
            (Items, Quantity): self._single,
        }

    def same(self, a: Form, b: Form) -> bool:
        if isinstance(a, Named) or isinstance(b, Named):
            return self._named(a, b)
        if is_region(a) or is_region(b):
            return self._regions(a, b)
        rule = self._rules.get((type(a), type(b)))
        if rule:
            return rule(a, b)
        rule = self._rules.get((type(b), type(a)))
        return rule(b, a) if rule else False

    def _named(self, a: Form, b: Form) -> bool:
        """`x=5` says 5, unless the other answer is about something else."""
        if isinstance(a, Named) and isinstance(b, Named):
            if _same_name(a.name, b.name):
                return self.same(a.form, b.form)
            return _equations(a, b)
        named, other = (a, b) if isinstance(a, Named) else (b, a)
        assert isinstance(named, Named)
        if _is_prose(named.name):  # the solutions are x = 2 and x = 3
            return self.same(named.form, other)
        if isinstance(other, Relation):
            if is_region(other) and region_of(named) is not None:
                return self._regions(named, other)
            return _equations(named, other)
        if isinstance(other, Items) and (coordinates := _coordinates(named)) and _has_names(other):
            return self._items(coordinates, other)
        if isinstance(other, Items) and is_region(other) and region_of(named) is not None:
            return self._regions(named, other)
        if isinstance(other, Items) and other.kind == "list" and _has_names(other):
            return False  # x = 2, 3 beside x = 2, y = 3
        return self.same(named.form, other)

    def _regions(self, a: Form, b: Form) -> bool:
        names = {name for form in (a, b) if (name := variable_of(form)) is not None}
        x, y = region_of(a), region_of(b)
        if x is not None and y is not None:
            return len(names) < 2 and same_region(x, y)
        if isinstance(a, Relation) and isinstance(b, Relation):
            return _relations(a, b)
        if isinstance(a, Items) and isinstance(b, Items):  # x > 2 and y > 1
            return self._items(a, b)
        if not isinstance(a, Joined) or not isinstance(b, Joined) or a.op != b.op:
            return False
        if a.op == "minus":
            return len(a.parts) == len(b.parts) and all(map(self.same, a.parts, b.parts))
        return self._matched(a.parts, b.parts)

    def _items(self, a: Items, b: Items) -> bool:
        kinds = {a.kind, b.kind}
        if {a.joined, b.joined} == {"and", "or"} and not (_is_of_solutions(a) and _is_of_solutions(b)):
            return False
        if kinds == {"set", "tuple"}:  # one solution that is a pair, in braces
            alone, pair = (a, b) if a.kind == "set" else (b, a)
            only = alone.parts[0] if len(alone.parts) == 1 else None
            return isinstance(only, Items) and only.kind == "tuple" and self._items(only, pair)
        if len({_has_names(form) for form in (a, b)}) > 1:
            if "set" in kinds:
                return False
            kinds = {"tuple"}  # x=3, y=4 beside 3, 4
        if "tuple" in kinds:
            x, y = (_values(form) if form.kind == "list" else form.parts for form in (a, b))
            return len(x) == len(y) and all(map(self.same, x, y))
        if "set" in kinds:
            return self._matched(self._distinct(a.parts), self._distinct(b.parts))
        return self._matched(a.parts, b.parts)

    def _distinct(self, parts: Sequence[Form]) -> list[Form]:
        kept: list[Form] = []
        for part in parts:
            if not any(self.same(part, other) for other in kept):
                kept.append(part)
        return kept

    def _matched(self, a: Sequence[Form], b: Sequence[Form]) -> bool:
        """Whether every part of one has its own in the other."""
        if len(a) != len(b):
            return False
        left = list(b)
        for part in a:
            place = next((i for i, other in enumerate(left) if self.same(part, other)), None)
            if place is None:
                return False
            del left[place]
        return True

    def _single(self, items: Items, one: Quantity) -> bool:
        """`{5}` and 5; and both signs of nothing."""
        parts = self._distinct(items.parts) if items.kind != "tuple" else []
        return len(parts) == 1 and self.same(parts[0], one)

    def _matrices(self, a: Matrix, b: Matrix) -> bool:
        if [len(row) for row in a.rows] != [len(row) for row in b.rows]:
            return False
        pairs = ((x, y) for one, other in zip(a.rows, b.rows, strict=True) for x, y in zip(one, other, strict=True))
        return all(self.same(x, y) for x, y in pairs)

    def _vector(self, matrix: Matrix, items: Items) -> bool:
        """A column or row beside a tuple, and rows beside a tuple of tuples."""
        rows = [row for part in items.parts if (row := _row(part)) is not None]
        if items.kind == "tuple" and len(rows) == len(items.parts):
            return self._matrices(matrix, Matrix(tuple(rows)))
        if len(matrix.rows) > 1 and any(len(row) > 1 for row in matrix.rows):
            return False
        return self._items(Items("tuple", tuple(cell for row in matrix.rows for cell in row)), items)


def _row(form: Form) -> tuple[Form, ...] | None:
    """[1,2] as a row, which alone is an interval, too."""
    if isinstance(form, Interval):
        return (Quantity(form.low), Quantity(form.high)) if form.low_closed == form.high_closed else None
    return form.parts if isinstance(form, Items) and form.kind == "tuple" else None


def _same_name(a: str, b: str) -> bool:
    """Names in words say less than symbols do: "the area is 5" and A = 5 may well be one."""
    x, y = (name.strip("⟦⟧() ").replace("\\", "").replace("{", "").replace("}", "") for name in (a, b))
    prose = [bool(_PROSE.fullmatch(name)) and not _GREEK_NAME.fullmatch(full) for name, full in ((x, a), (y, b))]
    return x == y or prose[0] != prose[1] or {x, y} == {"y", "f(x"}


def _choices(a: Choice, b: Choice) -> bool:
    return a.label == b.label and (not a.rest or not b.rest or a.rest == b.rest)


def _ratios(a: Sequence[Expression], b: Sequence[Expression]) -> bool:
    if len(a) != len(b):
        return False
    return all(
        same_value(Expression("*", (x, b[0])), Expression("*", (y, a[0]))) for x, y in zip(a[1:], b[1:], strict=True)
    )


def _quotient(ratio: Ratio, quantity: Quantity) -> bool:
    if len(ratio.parts) != 2 or quantity.unit is not None:
        return False
    return same_value(Expression("/", ratio.parts), quantity.formula)


def _hours(time: TimeOfDay) -> tuple[Expression, ...]:
    return number(time.seconds // 3600), number(time.seconds // 60 % 60)


def _congruences(a: Congruence, b: Congruence) -> bool:
    if not same_value(a.modulus, b.modulus):
        return False
    values = [exact_value(tree) for tree in (a.residue, b.residue, a.modulus)]
    x, y, modulus = values
    if x is None or y is None or not modulus:
        return same_value(a.residue, b.residue)
    return (x - y) % modulus == 0


def _relations(a: Relation, b: Relation) -> bool:
    """Whether one is a multiple of the other."""
    if a.op != b.op:
        return False
    x, y = (Expression("+", (form.right, Expression("neg", (form.left,)))) for form in (a, b))
    return proportional(x, y, positive=a.op in ("<", "<="))


def _equations(a: Form, b: Form) -> bool:
    x, y = _equation(a), _equation(b)
    return x is not None and y is not None and _relations(x, y)


def _equation(form: Form) -> Relation | None:
    if isinstance(form, Relation):
        return form
    if isinstance(form, Named) and isinstance(form.form, Quantity):
        with suppress(NotRead):
            return Relation("=", expression(tokens_of(form.name)), form.form.formula)
    return None


def _is_prose(name: str) -> bool:
    return bool(_PROSE.fullmatch(name.strip("⟦⟧ ").lower())) and "\\" not in name


def _coordinates(named: Named) -> Items | None:
    """(x,y)=(3,4) as x=3, y=4."""
    names = named.name.strip("()").split(",")
    if (
        len(names) < 2
        or not isinstance(named.form, Items)
        or named.form.kind != "tuple"
        or len(named.form.parts) != len(names)
    ):
        return None
    return Items("list", tuple(Named(name.strip(), part) for name, part in zip(names, named.form.parts, strict=True)))


def _has_names(items: Items) -> bool:
    return any(isinstance(part, Named) for part in items.parts)


def _is_of_solutions(items: Items) -> bool:
    """Whether "and" and "or" mean the same in it: 2 and 3, 2 or 3. They do not in "Ann or Bob" or in p or q."""
    return not any(isinstance(part, Words | Named) or _is_a_name(part) for part in items.parts)


def _is_a_name(form: Form) -> bool:
    return isinstance(form, Quantity) and form.unit is None and form.formula.op == "var"


def _values(items: Items) -> tuple[Form, ...]:
    """The parts of a list in their order; of `x=3, y=4` what the names stand for, by their names."""
    named = [part for part in items.parts if isinstance(part, Named)]
    if len(named) != len(items.parts):
        return items.parts
    return tuple(part.form for part in sorted(named, key=lambda part: part.name))
