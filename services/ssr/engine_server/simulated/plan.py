"""The way to a problem's answer: calculations in order, each on numbers or on results of earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ssr.engine_server.simulated.quantity import Calculation, Operator, compute


@dataclass(frozen=True, slots=True)
class Result:
    """The result of the plan's calculation number `index` (from 0), as an operand of a later one."""

    index: int


Operand = Fraction | Result


@dataclass(frozen=True, slots=True)
class Operation:
    """One calculation of a plan."""

    operator: Operator
    left: Operand
    right: Operand

    def on(self, results: Sequence[Fraction]) -> Calculation | None:
        """The calculation done rightly on the results stated so far; None where it has no readable result."""
        left, right = _value(self.left, results), _value(self.right, results)
        result = compute(self.operator, left, right)
        return None if result is None else Calculation(left, self.operator, right, result)


@dataclass(frozen=True, slots=True)
class SolutionPlan:
    """At least one operation; the result of the last one is the answer."""

    operations: tuple[Operation, ...]

    def results(self) -> tuple[Fraction, ...] | None:
        """Every operation's true result; None where one has none."""
        results: list[Fraction] = []
        for operation in self.operations:
            equation = operation.on(results)
            if equation is None:
                return None
            results.append(equation.result)
        return tuple(results)


def _value(operand: Operand, results: Sequence[Fraction]) -> Fraction:
    return results[operand.index] if isinstance(operand, Result) else operand
