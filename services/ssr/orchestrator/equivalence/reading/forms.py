"""What an answer can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    """Several answers. "list": in no order, and beside a tuple in its order; "set"; "tuple": in order."""

    kind: Literal["list", "set", "tuple"]
    parts: tuple[Form, ...]


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
