"""The model's opinions: how likely a step is right, and which approach suits a problem. Informative, with noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ssr.core.answers import boxed
from ssr.core.steps import is_repeated
from ssr.engine_server.simulated.dice import Dice, suitability
from ssr.engine_server.simulated.progress import progress
from ssr.engine_server.simulated.quantity import equation_in, format_number
from ssr.engine_server.simulated.reader import Judging, Scale, Selecting
from ssr.engine_server.simulated.script import plan_of
from ssr.engine_server.simulated.settings import Quality

#: Tokens and their probabilities, which sum to less than 1: the rest of the vocabulary has some too.
Distribution = Sequence[tuple[str, float]]

_ANSWERED_MASS = 0.97  #: of the tokens that answer the question
_CONVICTION = 3.0  #: log-odds that a step is right, in the mind of a judge without noise
_NOISE_UNIT = 12.0  #: standard deviation of the log-odds at judge_noise 1
_WRONG_MEAN, _RIGHT_MEAN = 2.0, 8.7  #: digit given to what is certainly wrong, certainly right
_DIGIT_SPREAD = 0.8
_CHOOSINESS = 8.0  #: log-odds between a strategy that suits fully and one that misleads


def is_right(judged: Judging) -> bool:
    """Whether the step does what comes next, rightly, given the steps before it (which may be wrong themselves)."""
    path, step = judged.path, judged.step
    if not step.strip() or is_repeated(step, path.steps):
        return False
    plan = plan_of(path.problem)
    state = progress(plan, path.steps)
    equation, answer = equation_in(step), boxed(step)
    if equation is not None:
        if equation != state.next_equation():
            return False
        state = progress(plan, (*path.steps, step))
    if answer is None:
        return equation is not None
    return state.calculated and answer == format_number(state.results[-1])


def belief(judged: Judging, quality: Quality, dice: Dice) -> float:
    """The judge's probability that the step is right."""
    conviction = _CONVICTION if is_right(judged) else -_CONVICTION
    return 1 / (1 + math.exp(-(conviction + _NOISE_UNIT * quality.judge_noise * dice.normal("judge"))))


def judgement(judged: Judging, quality: Quality, dice: Dice) -> Distribution:
    """The answer's distribution, the most probable first: over digits, or over Yes and No."""
    confidence = belief(judged, quality, dice)
    if judged.scale is Scale.YES_NO:
        weights = {"Yes": confidence, "No": 1 - confidence}
    else:
        mean = _WRONG_MEAN + (_RIGHT_MEAN - _WRONG_MEAN) * confidence
        weights = {str(d): math.exp(-(((d - mean) / _DIGIT_SPREAD) ** 2) / 2) for d in range(10)}
    return _distribution(weights)


def choice(selecting: Selecting, quality: Quality, dice: Dice) -> Distribution:
    """The distribution over the approaches' codes, the most probable first."""
    liking = {
        approach.code: suitability(selecting.problem, approach.hint)
        + quality.selection_noise * dice.normal(approach.code)
        for approach in selecting.approaches
    }
    best = max(liking.values())
    return _distribution({code: math.exp(_CHOOSINESS * (value - best)) for code, value in liking.items()})


def _distribution(weights: dict[str, float]) -> Distribution:
    total = math.fsum(weights.values())
    shares = [(text, _ANSWERED_MASS * weight / total) for text, weight in weights.items()]
    return sorted(shares, key=lambda share: -share[1])
