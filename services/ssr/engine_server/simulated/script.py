"""From a problem's text to the plan that its simulated solutions follow, and to the answer that counts as right.

Arithmetic is evaluated for real. Any other text is a word problem: its numbers, in order, are folded with operations
that the text's hash chooses. That fold is the truth of the simulated world, not of ours.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from ssr.engine_server.simulated.dice import Dice
from ssr.engine_server.simulated.expression import arithmetic_plan
from ssr.engine_server.simulated.plan import Operand, Operation, Result, SolutionPlan
from ssr.engine_server.simulated.quantity import Operator, compute, format_number

_MIN_OPERATIONS, _MAX_OPERATIONS = 3, 6
_MAX_NUMBERS = _MAX_OPERATIONS + 1
_MAX_PRODUCT = 10_000
_MAX_TEXT = 20_000  #: characters of a problem that are looked at for arithmetic and numbers

_NUMBER = re.compile(r"(?<![0-9.,])[0-9]{1,6}(?:\.[0-9]{1,2})?(?![0-9.]*[0-9])")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")


def truth(problem: str) -> str:
    r"""The right answer to `problem`, as a faultless solution puts it into its \boxed{}."""
    results = plan_of(problem).results()
    assert results is not None  # plan_of makes only plans that can be carried out
    return format_number(results[-1])


def plan_of(problem: str) -> SolutionPlan:
    """The plan of `problem`; blanks around and between its words do not matter."""
    return _plan(" ".join(problem.split()))


@lru_cache(maxsize=1024)
def _plan(text: str) -> SolutionPlan:
    return arithmetic_plan(text[:_MAX_TEXT]) or _word_problem(text)


def _word_problem(text: str) -> SolutionPlan:
    dice = Dice("word problem", text)
    numbers = [Fraction(n) for n in _NUMBER.findall(_THOUSANDS.sub("", text[:_MAX_TEXT]))][:_MAX_NUMBERS]
    value = numbers[0] if numbers else Fraction(5 + dice.below("start", 45))
    operations: list[Operation] = []
    left: Operand = value
    for step in range(dice.below("length", _MAX_OPERATIONS - _MIN_OPERATIONS + 1) + _MIN_OPERATIONS):
        given = step + 1 < len(numbers)
        right = numbers[step + 1] if given else Fraction(2 + dice.below(f"number {step}", 11))
        operator = _suitable(value, right, dice, step)
        operations.append(Operation(operator, left, right))
        value = compute(operator, value, right) or Fraction(0)
        left = Result(step)
    return SolutionPlan(tuple(operations))


def _suitable(left: Fraction, right: Fraction, dice: Dice, step: int) -> Operator:
    """An operation whose result stays readable: small, not negative, and whole where it is a division's."""
    weights = {Operator.PLUS: 2.0}
    if left > right:
        weights[Operator.MINUS] = 2.0
    if left > 0 and right > 1 and left * right <= _MAX_PRODUCT:
        weights[Operator.TIMES] = 2.0
    if left > 0 and right > 1 and (left / right).denominator == 1:
        weights[Operator.OVER] = 3.0
    return dice.weighted(f"operation {step}", list(weights), list(weights.values()))
