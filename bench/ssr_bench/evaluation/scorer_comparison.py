"""Scorers compared on the same steps: how well they distinguish right paths from wrong ones, their cost, and how alike
they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import StatisticsError, correlation

from ssr.core.acceptance import ScorerName
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.rescoring import PastPath, ScoreKey, StepScore
from ssr_bench.evaluation.statistics import IntervalEstimate, auc_estimate

DEFINITIONS = """\
AUC: the chance that a path with a right answer scores above one with a wrong answer; 0.5 is a coin. 95 %: bootstrap \
over problems. All scorers are compared on the paths and steps that every one of them has judged.
rejected: steps that a false equation rejects, and of them those on paths with a wrong answer.
Tokens and seconds: a step's mean; prompt: tokens that the engine had to process, those of its prefix cache not counted.
Likeness: how alike two scorers rank the steps (Spearman); 1: they always agree.
A recorded run lacks the drafts that were written again; mode draft has them all.""".splitlines()

_PREDICTORS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last step": lambda scores: scores[-1],
    "mean": lambda scores: sum(scores) / len(scores),
    "lowest": min,
}


@dataclass(frozen=True, slots=True)
class ScorerResult:
    """What one scorer came to. `prompt_tokens`, `generated_tokens` and `seconds` are a step's means."""

    scorer: ScorerName
    aucs: Mapping[str, IntervalEstimate | None]
    mean_score: float
    rejected: int
    rejected_wrong: int
    prompt_tokens: float
    generated_tokens: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ScorerComparison:
    """The scorers on the same `steps` of the same `paths`, `right` of which have the right answer.

    `likeness` has the rank correlation of each pair; None where one gives the same score to all steps.
    """

    model: str
    paths: int
    right: int
    steps: int
    results: tuple[ScorerResult, ...]
    likeness: Mapping[tuple[ScorerName, ScorerName], float | None]


def compare(
    model: str, scorers: Sequence[ScorerName], paths: Sequence[PastPath], scores: Mapping[ScoreKey, StepScore]
) -> ScorerComparison:
    """The comparison on all paths of which every scorer has judged every step."""
    judged = [
        (path, found)
        for path in sorted(paths, key=lambda path: path.problem)
        if (found := _judged(model, scorers, path, scores)) is not None
    ]
    by_scorer = {scorer: [score for _, found in judged for score in found[scorer]] for scorer in scorers}
    return ScorerComparison(
        model=model,
        paths=len(judged),
        right=sum(path.correct for path, _ in judged),
        steps=sum(len(path.steps) for path, _ in judged),
        results=tuple(_result(scorer, judged, by_scorer[scorer]) for scorer in scorers),
        likeness={
            (one, other): rank_correlation(_values(by_scorer[one]), _values(by_scorer[other]))
            for one in scorers
            for other in scorers
        },
    )


_Found = Mapping[ScorerName, Sequence[StepScore]]


def _judged(
    model: str, scorers: Sequence[ScorerName], path: PastPath, scores: Mapping[ScoreKey, StepScore]
) -> _Found | None:
    """Each scorer's scores of the path's steps; None when one is missing."""
    found = {
        scorer: [scores.get((model, scorer, path.job_id, path.index, step.index)) for step in path.steps]
        for scorer in scorers
    }
    whole = {scorer: [score for score in given if score is not None] for scorer, given in found.items()}
    return whole if all(len(given) == len(path.steps) for given in whole.values()) else None


def _result(scorer: ScorerName, judged: Sequence[tuple[PastPath, _Found]], scores: Sequence[StepScore]) -> ScorerResult:
    count = max(1, len(scores))
    groups = [list(group) for _, group in groupby(judged, key=lambda item: item[0].problem)]
    aucs = {
        title: auc_estimate([[(of(_values(found[scorer])), path.correct) for path, found in group] for group in groups])
        for title, of in _PREDICTORS.items()
    }
    rejections = [path.correct for path, found in judged for score in found[scorer] if score.rejection]
    calls = [call for score in scores for call in score.calls]
    return ScorerResult(
        scorer=scorer,
        aucs=aucs,
        mean_score=sum(score.score for score in scores) / count,
        rejected=len(rejections),
        rejected_wrong=sum(not correct for correct in rejections),
        prompt_tokens=sum(call.prompt_tokens - call.cached_tokens for call in calls) / count,
        generated_tokens=sum(call.generated_tokens for call in calls) / count,
        seconds=sum(score.seconds for score in scores) / count,
    )


def _values(scores: Sequence[StepScore]) -> list[float]:
    return [score.score for score in scores]


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's coefficient; None where one side has a single value, or there are fewer than two."""
    try:
        return correlation(_ranks(one), _ranks(other))
    except StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    ranks, before = dict[float, float](), 0
    for value, equal in groupby(sorted(values)):
        count = len(list(equal))
        ranks[value] = before + (count + 1) / 2
        before += count
    return [ranks[value] for value in values]


def grids(comparison: ScorerComparison) -> tuple[Grid, ...]:
    """How well the scorers predict, what they cost, and how alike they are."""
    of = f"{comparison.steps} steps of {comparison.paths} paths, {comparison.right} right, judged by {comparison.model}"
    prediction = Grid(
        f"Scorers on {of}",
        ("", *(f"AUC {title}" for title in _PREDICTORS), "mean score", "rejected", "wrong", "prompt", "generated", "s"),
        [
            (
                one.scorer.value,
                *(_auc(value) for value in one.aucs.values()),
                f"{one.mean_score:.2f}",
                str(one.rejected),
                f"{one.rejected_wrong / one.rejected:.0%}" if one.rejected else "-",
                f"{one.prompt_tokens:.1f}",
                f"{one.generated_tokens:.2f}",
                f"{one.seconds:.4f}",
            )
            for one in comparison.results
        ],
    )
    names = [one.scorer for one in comparison.results]
    rows = [(name.value, *(_number(comparison.likeness[name, other]) for other in names)) for name in names]
    return prediction, Grid("Likeness", ("", *(name.value for name in names)), rows)


def _auc(value: IntervalEstimate | None) -> str:
    return "-" if value is None else f"{value.value:.2f} ({value.low:.2f} – {value.high:.2f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
