"""A formula as a tree."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

#: "sum" and "prod" (both bounds), "int" (both or none), "lim" (one).
BINDING = frozenset({"sum", "prod", "int", "lim"})


@dataclass(frozen=True, slots=True)
class Expression:
    """`op` over `args`.

    "num" (`value`: a Fraction), "var" (`value`: its name), "const" (`value`: "pi", "e", "i" or "inf"), "+", "*", "/",
    "^" (two args each), "neg", "!", "root" (radicand, degree), "log" (argument, base), "binom", "pm" (a sum with both
    signs; `value`: 1 or -1 for the sign that comes first), a function's name (one argument or more). BINDING ones have
    the body, the variable that they bind, and its bounds, or for "lim" what it goes to (`value`: "+" or "-": a side).
    """

    op: str
    args: tuple[Expression, ...] = ()
    value: Fraction | str = ""

    @property
    def size(self) -> int:
        """How many nodes it has."""
        return 1 + sum(arg.size for arg in self.args)

    @property
    def names(self) -> frozenset[str]:
        """The variables in it."""
        if self.op == "var":
            return frozenset([str(self.value)])
        if self.op in BINDING:
            body, bound, *bounds = self.args
            return frozenset().union(body.names - bound.names, *(arg.names for arg in bounds))
        return frozenset().union(*(arg.names for arg in self.args))

    def has(self, *ops: str) -> bool:
        return self.op in ops or any(arg.has(*ops) for arg in self.args)


def number(value: int | Fraction) -> Expression:
    return Expression("num", value=Fraction(value))


def variable(name: str) -> Expression:
    return Expression("var", value=name)


def constant(name: str) -> Expression:
    return Expression("const", value=name)


def signed(tree: Expression, sign: int) -> Expression:
    r"""The tree with `\pm` as `sign` (1 or -1) and `\mp` as the other one."""
    args = tuple(signed(arg, sign) for arg in tree.args)
    if tree.op == "pm":
        left, right = args
        positive = int(str(tree.value)) * sign > 0
        return Expression("+", (left, right if positive else Expression("neg", (right,))))
    return Expression(tree.op, args, tree.value)


def to_data(tree: Expression) -> list[Any]:
    """A tree as lists and strings, for JSON."""
    value = tree.value
    return [tree.op, [str(value)] if isinstance(value, Fraction) else value, [to_data(arg) for arg in tree.args]]


def from_data(data: Any) -> Expression:
    """The tree of `to_data`. Raises: ValueError, TypeError for anything else."""
    op, value, args = data
    return Expression(
        str(op), tuple(map(from_data, args)), Fraction(value[0]) if isinstance(value, list) else str(value)
    )
