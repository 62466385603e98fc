"""What an answer can be, and the formulas in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ssr.orchestrator.equivalence.reading.clock import Day, TimeOfDay
from ssr.orchestrator.equivalence.reading.expression import Expression
from ssr.orchestrator.equivalence.reading.units import Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A formula, and what it counts (None: it does not say). `digits`: as written, where it names its base."""

    formula: Expression
    unit: Unit | None = None
    #: A letter behind the number, as in `5m`, may be a unit after all.
    perhaps: Unit | None = None
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Text that is no mathematics, in lower case."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers. "list": in no order, and beside a tuple in its order; "set"; "tuple": in order.

    `joined`: the word between them, if there is one.
    """

    kind: Literal["list", "set", "tuple"]
    parts: tuple[Form, ...]
    joined: Literal["", "and", "or"] = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """All real numbers from `low` to `high`; the ends belong to it where they are closed."""

    low: Expression
    high: Expression
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Joined:
    r"""Sets joined by `op`: "cup", "cap" or "minus"."""

    op: Literal["cup", "cap", "minus"]
    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """`x = 5` and `x \\in S`: a name (or several) and what it stands for."""

    name: str
    form: Form


@dataclass(frozen=True, slots=True)
class Relation:
    """`op`: "=", "<", "<=" or "!=" between two formulas; > and >= are turned round."""

    op: Literal["=", "<", "<=", "!="]
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Congruence:
    """A residue and its modulus."""

    residue: Expression
    modulus: Expression


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: tuple[tuple[Form, ...], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Reals:
    """All numbers of a kind: "R", "Z", "Q", "N" or "C"."""

    kind: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A label, and the text that follows it."""

    label: str
    rest: str = ""


Form = (
    Quantity
    | Words
    | Items
    | Interval
    | Joined
    | Named
    | Relation
    | Congruence
    | Matrix
    | Ratio
    | Reals
    | Choice
    | TimeOfDay
    | Day
)


def parts_of(form: Form) -> tuple[Expression, ...]:
    """All formulas in a form; what it takes to compare them follows from these."""
    if isinstance(form, Quantity):
        return (form.formula,)
    if isinstance(form, Ratio):
        return form.parts
    if isinstance(form, Matrix):
        return tuple(part for row in form.rows for cell in row for part in parts_of(cell))
    if isinstance(form, Items | Joined):
        return tuple(part for one in form.parts for part in parts_of(one))
    if isinstance(form, Named):
        return parts_of(form.form)
    return tuple(
        value for name in getattr(form, "__slots__", ()) if isinstance(value := getattr(form, name), Expression)
    )


def with_parts(form: Form, change: Callable[[Expression], Expression]) -> Form:
    """The form with another formula in the place of each of its formulas."""
    if isinstance(form, Named):
        return Named(form.name, with_parts(form.form, change))
    if isinstance(form, Matrix):
        return Matrix(tuple(tuple(with_parts(cell, change) for cell in row) for row in form.rows))
    if isinstance(form, Ratio):
        return Ratio(tuple(map(change, form.parts)))
    if isinstance(form, Items | Joined):
        return replace(form, parts=tuple(with_parts(part, change) for part in form.parts))
    formulas = {name: getattr(form, name) for name in getattr(form, "__slots__", ())}
    changed: dict[str, Any] = {name: change(value) for name, value in formulas.items() if isinstance(value, Expression)}
    return replace(form, **changed) if changed else form
