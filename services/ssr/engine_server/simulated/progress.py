"""Where a path stands: which calculations of the plan it has stated, with which results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ssr.core.answers import boxed
from ssr.engine_server.simulated.plan import SolutionPlan
from ssr.engine_server.simulated.quantity import Calculation, equation_in


@dataclass(frozen=True, slots=True)
class PathProgress:
    """`results` are those that the path states, right or wrong: its later steps build on them."""

    plan: SolutionPlan
    results: tuple[Fraction, ...]
    answered: bool

    @property
    def calculated(self) -> bool:
        """All calculations are done: what is left is the answer."""
        return len(self.results) >= len(self.plan.operations)

    def next_equation(self) -> Calculation | None:
        """The plan's next calculation, done rightly on the stated results; None after the last one.

        A path on wrong results may come to a division by zero or the like; it then carries on with the number it has.
        """
        if self.calculated:
            return None
        operation = self.plan.operations[len(self.results)]
        equation = operation.on(self.results)
        if equation is not None:
            return equation
        left = operation.left if isinstance(operation.left, Fraction) else self.results[operation.left.index]
        return Calculation(left, operation.operator, Fraction(1), left)


def progress(plan: SolutionPlan, steps: Sequence[str], thought: Sequence[str] = ()) -> PathProgress:
    """Read the path's steps; one that only repeats the one before it states nothing new.

    What was `thought` before them counts for its calculations; an answer there is none yet.
    """
    results: list[Fraction] = []
    previous = None
    for step in (*thought, *steps):
        equation = equation_in(step) if step != previous else None
        if equation is not None and len(results) < len(plan.operations):
            results.append(equation.result)
        previous = step
    return PathProgress(plan, tuple(results), any(boxed(step) is not None for step in steps))
