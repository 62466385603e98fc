from __future__ import annotations

import math
from itertools import product

import pytest

from ssr.core.acceptance import expected_digit, yes_score
from ssr.engine_server.simulated.dice import Dice, suitability
from ssr.engine_server.simulated.judge import Distribution, belief, choice, is_right, judgement
from ssr.engine_server.simulated.reader import Approach, Judging, Scale, Selecting, Solving
from ssr.engine_server.simulated.settings import Quality, SimulatedSettings
from ssr.engine_server.simulated.writer import next_step

PROBLEM = "3*(4+5)"
FIRST = "First, 4 + 5 = 9."


@pytest.mark.parametrize(
    ("steps", "step", "right"),
    [
        ((), FIRST, True),
        ((), "First, 4 + 5 = 10.", False),
        ((), "First, 3 × 4 = 12.", False),
        ((), "", False),
        ((), "Let me think.", False),
        ((), r"So \boxed{27}.", False),
        ((FIRST,), FIRST, False),
        ((FIRST,), "Now 3 × 9 = 27.", True),
        ((FIRST,), "Now 3 × 10 = 30.", False),
        (("First, 4 + 5 = 10.",), "Now 3 × 10 = 30.", True),
        ((FIRST,), r"Now 3 × 9 = 27, so \boxed{27}.", True),
        ((FIRST, "Now 3 × 9 = 27."), r"So \boxed{27}.", True),
        ((FIRST, "Now 3 × 9 = 27."), r"So \boxed{28}.", False),
        ((FIRST, "Now 3 × 9 = 27."), "And 27 + 1 = 28.", False),
        ((FIRST, "Now 3 × 9 = 27."), "That settles it.", False),
    ],
)
def test_the_right_step_is_known(steps: tuple[str, ...], step: str, right: bool) -> None:
    assert is_right(Judging(Solving(PROBLEM, "", steps), step, Scale.DIGIT)) is right


def judged_steps(scale: Scale) -> list[tuple[bool, float]]:
    """Steps of a model that errs half the time, and the default judge's scores of them."""
    writer, judge = Quality(error_rate=0.5, blemish_rate=0.05), SimulatedSettings.target().quality
    scored = []
    for n in range(600):
        path = Solving(f"Box {n} holds {n + 5} pens, 3 cups and {n % 9 + 2} rubbers.")
        judged = Judging(path, next_step(path, writer, Dice(n)).text, scale)
        shares = judgement(judged, judge, Dice("judge", n))
        scored.append((is_right(judged), expected_score(scale, shares)))
    return scored


def expected_score(scale: Scale, shares: Distribution) -> float:
    candidates = [(f" {text}", math.log(max(share, 1e-30))) for text, share in shares]
    return yes_score(candidates) if scale is Scale.YES_NO else expected_digit(candidates)


@pytest.mark.parametrize("scale", list(Scale))
def test_scores_report_right_from_wrong_but_not_always(scale: Scale) -> None:
    scored = judged_steps(scale)
    right = [score for good, score in scored if good]
    wrong = [score for good, score in scored if not good]
    pairs = list(product(right, wrong))
    auc = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert 0.9 < auc < 1
    assert sum(score >= 7 for score in right) / len(right) > 0.8
    assert sum(score >= 7 for score in wrong) / len(wrong) < 0.1


def test_noise_blurs_the_judgement() -> None:
    judged = Judging(Solving(PROBLEM), FIRST, Scale.DIGIT)
    sure = [belief(judged, Quality(judge_noise=0), Dice(n)) for n in range(100)]
    unsure = [belief(judged, Quality(judge_noise=1), Dice(n)) for n in range(100)]
    assert set(sure) == {sure[0]}
    assert sure[0] > 0.9
    assert min(unsure) < 0.05


@pytest.mark.parametrize("scale", list(Scale))
def test_a_judgement_is_a_distribution_in_order(scale: Scale) -> None:
    shares = judgement(Judging(Solving(PROBLEM), FIRST, scale), Quality(), Dice(1))
    probabilities = [share for _, share in shares]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0.9 < sum(probabilities) < 1
    assert shares[0][0] in ("8", "9", "Yes")


def test_a_strategys_choice_is_informative_but_noisy() -> None:
    approaches = tuple(Approach(chr(65 + n), f"Use method {n}.") for n in range(12))
    chosen = []
    for n in range(200):
        problem = f"Problem {n}"
        best = choice(Selecting(problem, approaches), Quality(), Dice(n))[0][0]
        chosen.append(suitability(problem, approaches[ord(best) - 65].hint))
    assert 0.7 < sum(chosen) / len(chosen) < 0.92  # by chance 0.5, by the best of 12 0.92
