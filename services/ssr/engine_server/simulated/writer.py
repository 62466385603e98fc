"""The next step of a path: one calculation of the plan, right or wrong, or the answer, or a blemish."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction

from ssr.core.steps import is_repeated
from ssr.engine_server.simulated import wording
from ssr.engine_server.simulated.dice import Dice, suitability
from ssr.engine_server.simulated.progress import PathProgress, progress
from ssr.engine_server.simulated.quantity import Calculation, Operator, compute, format_number
from ssr.engine_server.simulated.reader import Solving
from ssr.engine_server.simulated.script import plan_of
from ssr.engine_server.simulated.settings import Quality

_MAX_ERROR_RATE = 0.95
#: How often the likeliest mistake is made, then the next: likely ones let several paths agree on a wrong answer.
_MISTAKE_WEIGHTS = (6.0, 2.0, 1.0, 1.0)
_MISTAKEN_FOR = {
    Operator.PLUS: Operator.MINUS,
    Operator.MINUS: Operator.PLUS,
    Operator.TIMES: Operator.PLUS,
    Operator.OVER: Operator.MINUS,
    Operator.POWER: Operator.TIMES,
}


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """`text` has no blank line in it and may be empty; `ends_turn`: the model has nothing to add."""

    text: str
    ends_turn: bool = False


class _Blemish(Enum):
    EMPTY = auto()
    REPEATED = auto()
    UNANSWERED = auto()
    RAMBLE = auto()


def next_step(path: Solving, quality: Quality, dice: Dice) -> WrittenStep:
    """What a model of that quality writes next; `dice` are of this path and this model's chance."""
    state = progress(plan_of(path.problem), path.steps, path.thought)
    if state.answered:
        return WrittenStep("", ends_turn=True)
    if dice.chance("blemish", quality.blemish_rate):
        return _blemished(path, dice)
    equation = state.next_equation()
    if equation is None:
        answer = format_number(state.results[-1])
        return WrittenStep(wording.supposed(answer) if path.thinking else wording.answer(answer, dice), ends_turn=True)
    if dice.chance("error", error_rate(path, quality)):
        equation = _mistaken(equation, path, state, dice)
    return WrittenStep(_worded(str(equation), path, state, dice))


def answer_so_far(path: Solving) -> str:
    """The path's last result, "" before the first: what it answers when it is made to."""
    results = progress(plan_of(path.problem), path.steps, path.thought).results
    return format_number(results[-1]) if results else ""


def error_rate(path: Solving, quality: Quality) -> float:
    """The chance of a wrong calculation: a strategy that suits the problem lowers it, one that misleads raises it."""
    strain = 1 - 2 * suitability(path.problem, path.hint)
    return min(quality.error_rate * (1 + quality.strategy_effect * strain), _MAX_ERROR_RATE)


def _worded(equation: str, path: Solving, state: PathProgress, dice: Dice) -> str:
    text = wording.calculation(equation, path.hint, opening=not path.all_steps, dice=dice)
    # Two equal calculations ("1 × 1 = 1") must not look like a path that goes round in circles.
    return wording.numbered_calculation(equation, len(state.results) + 1) if is_repeated(text, path.all_steps) else text


def _mistaken(equation: Calculation, path: Solving, state: PathProgress, dice: Dice) -> Calculation:
    """The same calculation with a wrong result near the right one, or that of another operation.

    Which mistake is likely depends on the calculation alone, so that paths make the same one.
    """
    right = equation.result
    confused = compute(_MISTAKEN_FOR[equation.operator], equation.left, equation.right)
    near: list[Fraction] = [right + 1, right - 1, right + 10]
    if confused is not None and confused not in (right, *near):
        near.append(confused)
    first = Dice("mistake", path.problem, len(state.results), equation).below("likeliest", len(near))
    ordered = near[first:] + near[:first]
    result = dice.weighted("mistake", ordered, _MISTAKE_WEIGHTS[: len(ordered)])
    return Calculation(equation.left, equation.operator, equation.right, result)


def _blemished(path: Solving, dice: Dice) -> WrittenStep:
    kind = dice.pick("kind of blemish", tuple(_Blemish))
    if kind is _Blemish.REPEATED and path.all_steps:
        return WrittenStep(path.all_steps[-1])
    if kind is _Blemish.EMPTY:
        return WrittenStep("")
    if kind is _Blemish.UNANSWERED:
        return WrittenStep(wording.unanswered(dice), ends_turn=True)
    return WrittenStep(wording.ramble(dice))
