"""What scorers say of the recorded drafts' steps, and whether their paths are right.

A folder of samples (`pool`) may have judge.jsonl.gz beside them, an object a problem: {set, id, judged}, a list for
each draft with a list for each judged step: expected digit, greedy digit, 9 x P(Yes). Agreement, log probabilities and
false sums are in the samples themselves. Without texts it is kept as scores.jsonl.gz.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssr.core.agreement import agreed_share
from ssr.core.arithmetic import false_claim, has_own_arithmetic
from ssr.core.evidence.curve import sigmoid
from ssr.core.steps import BOUNDARY
from ssr.core.types import MAX_SCORE
from ssr_bench.evaluation.held_out import folds_of
from ssr_bench.evaluation.score_curves import FOLDS, FittedCurve, Reliability, ScoredStep, fit_logistic, fitted_curve
from ssr_bench.evaluation.score_curves import reliability as reliability_of
from ssr_bench.replay.packed_rows import read_rows, write_rows
from ssr_bench.replay.pool import PooledProblem, pool_lines

SCORES = "scores.jsonl.gz"
#: Siblings that a draft's steps are compared with: as many as the other drafts of mode cascade.
_SIBLINGS = 2


@dataclass(frozen=True, slots=True)
class StepScores:
    """What is known of a step; None: not asked, or undecided.

    The digits and `judge` are 0..9; `share` is that of siblings that agree.
    """

    expected: float | None
    greedy: float | None
    judge: float | None
    logprob: float | None
    share: float | None
    false_sum: bool


@dataclass(frozen=True, slots=True)
class ScoredDraft:
    """A draft's steps, and whether it ended right."""

    right: bool
    steps: tuple[StepScores, ...]


@dataclass(frozen=True, slots=True)
class ScoredProblem:
    """A problem's drafts."""

    group: str
    id: str
    drafts: tuple[ScoredDraft, ...]


#: The scorers that a pool says something of, by their names: the score of a step, 0..9.
SCORERS: Mapping[str, Callable[[StepScores], float | None]] = {
    "greedy": lambda step: step.greedy,
    "expected": lambda step: step.expected,
    "judge": lambda step: step.judge,
    "agreement": lambda step: None if step.share is None else MAX_SCORE * step.share,
}


def certainty(step: StepScores) -> float | None:
    """The draft's own, which is no scorer of the product: 9 times the geometric mean of its tokens' probabilities."""
    return None if step.logprob is None else MAX_SCORE * math.exp(step.logprob)


def scored_problems(folder: Path, problems: Sequence[PooledProblem]) -> list[ScoredProblem]:
    """Of the problems that have drafts. Raises: InvalidRequest naming the file and line."""
    drafts, judged = pool_lines(folder, "draft"), pool_lines(folder, "judge", ("id", "judged"))
    found = []
    for problem in problems:
        key = problem.group, problem.id
        if key in drafts:
            said = judged.get(key, {}).get("judged")
            found.append(_scored(problem, drafts[key], said))
    return found


def _scored(problem: PooledProblem, fields: Mapping[str, Any], judged: Any) -> ScoredProblem:
    trusting = has_own_arithmetic(str(fields["problem"]))
    texts = [[str(step[0]) for step in sample.get("steps") or ()] for sample in fields["samples"]]
    wholes = [BOUNDARY.join(steps) for steps in texts]
    found = []
    for place, (sample, steps) in enumerate(zip(fields["samples"], texts, strict=True)):
        siblings = [wholes[(place + more) % len(wholes)] for more in range(1, min(_SIBLINGS, len(wholes) - 1) + 1)]
        scores = []
        for number, step in enumerate(steps):
            raw = sample["steps"][number]
            was_judged = judged and number < len(judged[place])
            expected, greedy, judge = judged[place][number][:3] if was_judged else (None, None, None)
            logprob = raw[2] if len(raw) > 2 else None
            share = agreed_share(step, steps[:number], siblings)
            false = not trusting and false_claim(step) is not None
            scores.append(StepScores(expected, greedy, judge, logprob, share, false))
        found.append(ScoredDraft(problem.drafts[place].right, tuple(scores)))
    return ScoredProblem(problem.group, problem.id, tuple(found))


def steps_of(problems: Sequence[ScoredProblem], score: Callable[[StepScores], float | None]) -> list[ScoredStep]:
    """The steps that a scorer says something of; those of a path weigh 1 together."""
    found = []
    for problem in problems:
        for draft in problem.drafts:
            known = [value for step in draft.steps if (value := score(step)) is not None]
            name = f"{problem.group}/{problem.id}"
            found += [ScoredStep(name, value, draft.right, 1 / len(known)) for value in known]
    return found


def paths_of(problems: Sequence[ScoredProblem], score: Callable[[StepScores], float | None]) -> list[ScoredStep]:
    """The drafts, each with the mean of its steps' scores."""
    found = []
    for problem in problems:
        for draft in problem.drafts:
            known = [value for step in draft.steps if (value := score(step)) is not None]
            if known:
                found.append(ScoredStep(f"{problem.group}/{problem.id}", sum(known) / len(known), draft.right))
    return found


def score_curves(problems: Sequence[ScoredProblem]) -> dict[str, FittedCurve]:
    """Of each scorer that says something of enough problems."""
    fitted = {name: fitted_curve(steps_of(problems, score)) for name, score in SCORERS.items()}
    return {name: one for name, one in fitted.items() if one is not None}


def combined(problems: Sequence[ScoredProblem]) -> Reliability:
    """Of a logistic regression on all that is known of a step, fitted to other folds. The score is its prediction."""
    rows: dict[str, list[tuple[tuple[float, ...], bool, float]]] = {}
    for problem in problems:
        for draft in problem.drafts:
            for step in draft.steps:
                name = f"{problem.group}/{problem.id}"
                rows.setdefault(name, []).append((_features(step), draft.right, 1 / len(draft.steps)))
    predicted: list[list[ScoredStep]] = []
    for part in folds_of(list(rows), FOLDS):
        held = set(part)
        inside = [(x, w * right, w) for name, some in rows.items() if name not in held for x, right, w in some]
        at = fit_logistic(inside)
        predicted += [
            [ScoredStep(name, MAX_SCORE * sigmoid(_dot(at, x)), right, weight) for x, right, weight in rows[name]]
            for name in part
        ]
    return reliability_of(predicted, lambda step: step.score / MAX_SCORE)


def _features(step: StepScores) -> tuple[float, ...]:
    decided = step.share is not None
    return (
        1.0,
        (step.expected or 0.0) / MAX_SCORE,
        (step.greedy or 0.0) / MAX_SCORE,
        (step.judge or 0.0) / MAX_SCORE,
        step.logprob or 0.0,
        float(decided),
        step.share or 0.0,
        float(step.false_sum),
    )


def _dot(at: Sequence[float], features: Sequence[float]) -> float:
    return sum(a * x for a, x in zip(at, features, strict=True))


def write_scores(problems: Sequence[ScoredProblem], file: Path) -> None:
    """A line a problem; the same bytes for the same ones."""
    rows = (
        [one.group, one.id, [[int(draft.right), [_row(step) for step in draft.steps]] for draft in one.drafts]]
        for one in problems
    )
    write_rows(rows, file)


def _row(step: StepScores) -> list[Any]:
    numbers = (step.expected, step.greedy, step.judge, step.logprob, step.share)
    return [*(None if one is None else round(one, 3) for one in numbers), int(step.false_sum)]


def _read(
    expected: float | None,
    greedy: float | None,
    judge: float | None,
    logprob: float | None,
    share: float | None,
    false_sum: int,
) -> StepScores:
    return StepScores(expected, greedy, judge, logprob, share, bool(false_sum))


def read_scores(file: Path) -> list[ScoredProblem]:
    """Raises: InvalidRequest naming the file and line."""
    return read_rows(file, _problem, "has no scores of a problem")


def _problem(group: object, name: object, drafts: Sequence[Any]) -> ScoredProblem:
    scored = tuple(ScoredDraft(bool(right), tuple(_read(*row) for row in steps)) for right, steps in drafts)
    return ScoredProblem(str(group), str(name), scored)
