"""What the graded samples of the published pair give: replays of every rule, priors fitted to other folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from pieces import table

from ssr.core.evidence.prior import Prior, Sign
from ssr_bench.evaluation.curve_report import COLUMNS, curve_row, reliability_row
from ssr_bench.evaluation.score_curves import fitted_curve
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.replay.graded import read_graded
from ssr_bench.replay.method import ReplayMethod, read_method
from ssr_bench.replay.pool import PooledProblem, groups_of
from ssr_bench.replay.repairing import SHARED, read_starts, repair_bounds
from ssr_bench.replay.report import repair_grid
from ssr_bench.replay.scored import SCORERS, SCORES, certainty, combined, paths_of, read_scores, steps_of
from ssr_bench.replay.summary import Prices, ReplayFigures, priors_of, replay_all, summarise

#: As `ssr bench replay docs/results/pair --cross-validate 5` has them; the first is what others are compared with.
METHODS = ("fixed", "target-alone", "adaptive-consistency", "esc", "deepconf", "target-evidence", "cascade")
FOLDS, ORDERS, SEED = 5, 8, 0
#: The loss of accuracy, a share, that is called none.
MARGIN = 0.05
NAMES = {"gsm8k": "GSM8K", "svamp": "SVAMP", "asdiv": "ASDiv", "multiarith": "MultiArith", "math500": "MATH-500"}
_TITLES = {
    "fixed": "vote of 4",
    "target-alone": "one path",
    "adaptive-consistency": "adaptive consistency",
    "esc": "early-stopping self-consistency",
    "deepconf": "DeepConf's consensus",
    "target-evidence": "`evidence`, target alone",
    "cascade": "`cascade`, 3 drafts",
}
_ABLATED = "cascade:drafts=4"


class PairResults:
    """The results by name; what takes time is computed once, when it is asked for."""

    def __init__(self, records: Path) -> None:
        self._records = records

    def results(self) -> Mapping[str, Callable[[], str]]:
        """What makes each marked figure."""
        found: dict[str, Callable[[], str]] = {
            "pair-cascade": self._cascade,
            "pair-rivals": self._rivals,
            "pair-parts": self._parts,
            "pair-repair": self._repair,
            "pair-scores": self._scores,
        }
        for group in NAMES:
            found[f"cascade-paths-{group}"] = partial(self._paths, group)
            found[f"cascade-points-{group}"] = partial(self._points, group)
        return found

    @cached_property
    def _groups(self) -> Mapping[str, list[PooledProblem]]:
        groups = groups_of(read_graded(self._records))
        return {name: groups[name] for name in NAMES}

    @cached_property
    def _priors(self) -> Callable[[PooledProblem], Prior]:
        return priors_of([one for group in self._groups.values() for one in group], None, FOLDS)

    @cached_property
    def _figures(self) -> Mapping[str, Mapping[str, ReplayFigures]]:
        """By set, then by method."""
        methods = [read_method(one) for one in METHODS]
        found = {}
        for name, problems in self._groups.items():
            replays = replay_all(problems, methods, self._priors, ORDERS, SEED)
            summary = summarise(name, problems, replays, methods, Prices())
            found[name] = dict(zip(METHODS, summary.figures, strict=True))
        return found

    def _paths(self, group: str) -> str:
        return f"{self._figures[group]['cascade'].target.value:.1f}"

    def _points(self, group: str) -> str:
        return _points(self._figures[group]["cascade"].against_reference.difference)

    def _cascade(self) -> str:
        """Mode cascade on each set, beside one path, the vote, and what saves paths without drafts."""
        titles = ("", "problems", "one path", "vote of 4, for 4", "adaptive consistency", "`evidence`, target alone")
        titles += ("`cascade`", "its target tokens", "points to the vote (95 %)", "no loss of 5 points")
        titles += ("saved at equal accuracy (95 %)", "break-even")
        rows = []
        for name, by_method in self._figures.items():
            cascade = by_method["cascade"]
            gap, saving = cascade.against_reference.difference, cascade.saving
            rows.append(
                (
                    NAMES[name],
                    str(cascade.problems),
                    _percent(by_method["target-alone"]),
                    _percent(by_method["fixed"]),
                    *(_for(by_method[one]) for one in ("adaptive-consistency", "target-evidence", "cascade")),
                    f"{cascade.target.value:.2f}",
                    _points(gap),
                    "shown" if gap.low > -MARGIN else "not shown",
                    "-" if saving is None else f"{saving.value:.0%} ({saving.low:.0%} to {saving.high:.0%})",
                    "-" if cascade.break_even is None else f"{cascade.break_even:.2f}",
                )
            )
        return table(titles, rows)

    def _rivals(self) -> str:
        """Every rule on every set: accuracy for total cost."""
        rows = [
            (_TITLES[method], *(_for(by_method[method]) for by_method in self._figures.values())) for method in METHODS
        ]
        return table(("", *(NAMES[name] for name in self._figures)), rows)

    def _parts(self) -> str:
        """What the parts of the evidence bring."""
        method = read_method(_ABLATED)
        kinds: Sequence[tuple[str, Callable[[Prior], Prior]]] = (
            ("votes alone", lambda prior: _without_lengths(_without_logprobs(_without_sums(prior)))),
            ("and false sums", lambda prior: _without_lengths(_without_logprobs(prior))),
            ("and log probabilities", _without_lengths),
            ("and lengths: all", lambda prior: prior),
        )
        rows = [
            (title, *(self._ablated(problems, method, part) for problems in self._groups.values()))
            for title, part in kinds
        ]
        return table(("", *(NAMES[name] for name in self._groups)), rows)

    def _repair(self) -> str:
        """What repair could spare, and cost."""
        starts, method = read_starts(self._records.with_name(SHARED)), read_method("cascade")
        bounds = [repair_bounds(name, some, starts, method, self._priors) for name, some in self._groups.items()]
        grid = repair_grid(bounds, NAMES)
        return table(("", *grid.columns[1:]), grid.rows)

    def _scores(self) -> str:
        """How reliable scorers are as probabilities: all of them on GSM8K, agreement on every set."""
        problems = read_scores(self._records.with_name(SCORES))
        of = {name: [one for one in problems if one.group == name] for name in NAMES}
        known, rows = of["gsm8k"], []
        for scorer, score in {**SCORERS, "the draft's own certainty": certainty}.items():
            for what, steps in (("steps", steps_of(known, score)), ("paths", paths_of(known, score))):
                if (fitted := fitted_curve(steps)) is not None:
                    rows.append(curve_row(f"{scorer}, {what}", fitted))
        rows.append(reliability_row("all of these, steps", combined(known), "regression"))
        for name in NAMES:
            if name != "gsm8k" and (fitted := fitted_curve(steps_of(of[name], SCORERS["agreement"]))) is not None:
                rows.append(curve_row(f"agreement, steps, {NAMES[name]}", fitted))
        return table(COLUMNS, rows)

    def _ablated(self, problems: Sequence[PooledProblem], method: ReplayMethod, part: Callable[[Prior], Prior]) -> str:
        made: dict[int, Prior] = {}

        def prior_of(problem: PooledProblem) -> Prior:
            whole = self._priors(problem)
            return made.setdefault(id(whole), part(whole))

        replays = replay_all(problems, [method], prior_of, ORDERS, SEED)
        (figures,) = summarise("", problems, replays, [method], Prices()).figures
        return _for(figures)


def _without_sums(prior: Prior) -> Prior:
    return replace(prior, false_sum=Sign(0.0, 0.0))


def _without_logprobs(prior: Prior) -> Prior:
    return replace(prior, fluency={author: replace(one, slope=0.0) for author, one in prior.fluency.items()})


def _without_lengths(prior: Prior) -> Prior:
    return replace(prior, length=replace(prior.length, correlation=0.0))


def _percent(figures: ReplayFigures) -> str:
    return f"{figures.accuracy.value:.1%}"


def _for(figures: ReplayFigures) -> str:
    return f"{figures.accuracy.value:.1%} for {figures.total.value:.2f}"


def _points(gap: IntervalEstimate) -> str:
    return f"{gap.value * 100:+.1f} ({gap.low * 100:+.1f} to {gap.high * 100:+.1f})"
