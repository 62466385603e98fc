"""Problems to load the stack with: arithmetic that a simulated engine solves in about as many steps as asked."""

from __future__ import annotations

_OPERATORS = ("+", "-", "+")


def sum_problem(number: int, operations: int) -> str:
    """The `number`-th problem: a sum of `operations` operations, one step of a path each; none is like another."""
    terms = [str(7 + number)]
    for index in range(operations):
        terms += [_OPERATORS[index % len(_OPERATORS)], str(2 + (number * 7 + index * 13) % 89)]
    return f"What is {' '.join(terms)}?"
