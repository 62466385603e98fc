"""Which settings give the wanted trade of accuracy for compute: what was measured first, then what can be estimated.

Settings are chosen on some problems and judged on others (`held_out`): what is suggested has held on problems that had
no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssr.core.acceptance import accepts
from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode
from ssr_bench.evaluation import accounting
from ssr_bench.evaluation.calibration import THRESHOLDS, PathCost, ScoreCalibration, ScoredPath
from ssr_bench.evaluation.held_out import HeldOut, OptionOutcome, Sums, cheapest, held_out
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.series import UNNAMED, scorer_of
from ssr_bench.evaluation.table import MARGIN

#: An estimate that so few of the paths speak for is none.
MIN_KNOWN = 0.25


@dataclass(frozen=True, slots=True)
class Trade:
    """What is wanted: at least this accuracy (None: the baseline's on the same problems), for at most this
    decode_ratio. `margin`: the loss, a share, that "no loss" stands for."""

    accuracy: float | None
    decode_ratio: float = 1.0
    margin: float = MARGIN

    @classmethod
    def wanted(
        cls, results: Sequence[CellResult], accuracy: float | None, decode_ratio: float, margin: float = MARGIN
    ) -> Trade:
        """The baseline's accuracy unless another is given. Raises: InvalidRequest."""
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise InvalidRequest("accuracy", f"must be within 0..1; got {accuracy:g}")
        if not decode_ratio > 0:
            raise InvalidRequest("decode-ratio", f"must be over 0; got {decode_ratio:g}")
        if not 0 < margin < 1:
            raise InvalidRequest("margin", f"must be over 0 and below 1; got {margin:g}")
        if accuracy is None and not any(one.cell.mode is Mode.BASELINE for one in results):
            raise InvalidRequest("accuracy", "is needed: no run of mode baseline shows what to reach")
        return cls(accuracy, decode_ratio, margin)

    def met(self, sums: Sums) -> bool:
        """Whether the outcomes give it, so far as a value without its interval can say."""
        wanted = self.accuracy if self.accuracy is not None else sums.base
        if wanted is None or sums.ratio is None or sums.known < MIN_KNOWN:
            return False
        return sums.accuracy.value >= wanted and sums.ratio.value <= self.decode_ratio


@dataclass(frozen=True, slots=True)
class OptionsSuggestion:
    """`scorer` "" is the server's own; `threshold` None: nothing meets the wish, `reason` says why.

    `held_out`: what choosing in this way comes to on problems that had no part in it. `options` are those of a job,
    beside threshold and scorer.
    """

    reason: str
    threshold: float | None = None
    scorer: str = ""
    measured: bool = False
    held_out: Sums | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """As options of a call, and as a server's settings."""
        if self.threshold is None:
            return ()
        named = (
            *self.options,
            ("threshold", f"{self.threshold:g}"),
            *([("scorer", self.scorer)] if self.scorer else []),
        )
        lines = [f"ssr solve {' '.join(f'--{name} {value}' for name, value in named)} ..."]
        lines.append(f"SSR_ORCHESTRATOR_DEFAULTS__THRESHOLD={self.threshold:g}")
        return (*lines, f"SSR_VERIFIER_SCORER={self.scorer}") if self.scorer else tuple(lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Option:
    """One way that may be suggested, with its outcome on each problem."""

    label: str
    threshold: float | None
    scorer: str
    outcomes: Mapping[str, OptionOutcome]
    options: tuple[tuple[str, str], ...] = ()
    bounds: tuple[float, float] | None = field(default=None)


def suggest(results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration], trade: Trade) -> OptionsSuggestion:
    """The cheapest cell that was measured to give the trade; else the cheapest threshold that may."""
    sets = sorted({record.dataset for one in results for record in one.records})
    if len(sets) > 1:
        return OptionsSuggestion(f"the runs are of several data sets ({', '.join(sets)}): calibrate each by itself")
    measured = [_measured(one, results) for one in results if one.cell.mode.drafts and one.decode_ratio is not None]
    tried = [option for one in calibrations if one.whole for option in _thresholds(one)]
    missed = ""
    for options, is_measured in ((measured, True), (tried, False)):
        best = _best(options, trade)
        if best is None:
            continue
        sums, seen = Sums.of(list(best.outcomes.values())), _judged(options, trade)
        reason = _reason(best, sums, seen, trade, is_measured=is_measured)
        if seen is not None and trade.met(seen.sums):
            return OptionsSuggestion(reason, best.threshold, _named(best.scorer), is_measured, seen.sums, best.options)
        missed = missed or f"{reason}, which do not give it" if seen is not None else f"{reason}; too few problems"
    return OptionsSuggestion(missed or _why_not(measured, trade))


def _best(options: Sequence[_Option], trade: Trade) -> _Option | None:
    sums = {one: Sums.of(list(one.outcomes.values()), intervals=False) for one in options}
    return cheapest(sums, trade.met) if any(map(trade.met, sums.values())) else None


def _judged(options: Sequence[_Option], trade: Trade) -> HeldOut[_Option] | None:
    problems = sorted({problem for one in options for problem in one.outcomes})

    def choose(inside: Sequence[str]) -> _Option:
        kept = {one: [one.outcomes[name] for name in inside if name in one.outcomes] for one in options}
        return cheapest({one: Sums.of(found, intervals=False) for one, found in kept.items()}, trade.met)

    return held_out(problems, choose, lambda option: option.outcomes)


def _measured(one: CellResult, results: Sequence[CellResult]) -> _Option:
    """A cell, beside the baseline's runs."""
    base = {
        (record.problem_id, record.repeat): record
        for other in results
        if other.cell.mode is Mode.BASELINE
        for record in other.records
    }
    groups: dict[str, list[Record]] = {}
    for record in one.records:
        groups.setdefault(record.problem_id, []).append(record)
    outcomes = {problem: _outcome(group, base) for problem, group in groups.items()}
    options: dict[str, str] = {"mode": str(one.cell.mode)}
    if not one.cell.mode.single_path:
        rule = one.records[0].options.stop_rule if one.records[0].options else one.cell.stop_rule
        options |= {"paths": str(one.paths)} | ({"stop-rule": str(rule)} if rule else {})
    return _Option(one.label, one.threshold, scorer_of(one.records[0]), outcomes, tuple(options.items()))


def _outcome(group: Sequence[Record], base: Mapping[tuple[str, int], Record]) -> OptionOutcome:
    beside = [(record, base[key]) for record in group if (key := (record.problem_id, record.repeat)) in base]
    costs = [(accounting.decode_flops(one), accounting.decode_flops(other)) for one, other in beside]
    known = [(spent, least) for spent, least in costs if spent is not None and least is not None]
    return OptionOutcome(
        right=tuple(record.correct for record in group),
        runs=len(group),
        pairs=tuple((one.correct, other.correct) for one, other in beside),
        spent=sum(spent for spent, _ in known) if known else None,
        base=sum(least for _, least in known) if known else None,
    )


def _thresholds(one: ScoreCalibration) -> list[_Option]:
    """A single path at each threshold, as far as it can be reported."""
    costs = PathCost.of(one.scored, one.baseline)
    if costs is None:
        return []
    base: dict[str, list[bool]] = {}
    for record in one.baseline:
        base.setdefault(record.problem_id, []).append(record.correct)
    groups: dict[str, list[ScoredPath]] = {}
    for path in one.scored:
        groups.setdefault(path.problem, []).append(path)
    bounds = {row.threshold: (row.low, row.high) for row in one.sweep}
    return [
        _Option(
            f"a single path at threshold {threshold:g} of {one.stratum}",
            threshold,
            one.scorer,
            {problem: _single(group, threshold, costs, base.get(problem, ())) for problem, group in groups.items()},
            bounds=bounds[threshold],
        )
        for threshold in THRESHOLDS
    ]


def _single(paths: Sequence[ScoredPath], threshold: float, costs: PathCost, base: Sequence[bool]) -> OptionOutcome:
    known = [path for path in paths if path.decided_alike(threshold)]
    rejected = sum(not accepts(score, threshold) for path in paths for score in path.scores)
    return OptionOutcome(
        right=tuple(path.correct for path in known),
        runs=len(paths),
        pairs=tuple((path.correct, base[0]) for path in known) if base else (),
        spent=costs.fixed * len(paths) + costs.a_rewrite * rejected,
        base=float(len(paths)),
    )


def _reason(best: _Option, sums: Sums, seen: HeldOut[_Option] | None, trade: Trade, *, is_measured: bool) -> str:
    cost = sums.ratio.value if sums.ratio else float("nan")
    if is_measured:
        found = f"measured: {best.label} is right on {sums.accuracy.value:.1%} at decode_ratio {cost:.2f}"
    else:
        low, high = best.bounds or (0.0, 1.0)
        found = (
            f"estimated, not measured: {best.label} would be right on {low:.0%} to {high:.0%} at decode_ratio "
            f"{cost:.2f}; measure it"
        )
    return found if seen is None else f"{found}. {_held(seen, trade)}"


def _held(seen: HeldOut[_Option], trade: Trade) -> str:
    """What choosing came to on the problems left out."""
    sums = seen.sums
    text = f"Chosen on the other folds ({seen.folds}, over {seen.problems} problems): {_interval(sums.accuracy, '.1%')}"
    if sums.ratio is not None:
        text += f" at {_interval(sums.ratio, '.2f')}"
    if sums.known < 1:
        text += f", of the {sums.known:.0%} of paths for which that is known"
    if sums.gain is not None:
        gain = sums.gain.gain
        shown = "is shown" if sums.gain.no_worse(trade.margin) else "is not shown"
        text += (
            f"; {gain.value * 100:+.1f} points ({gain.low * 100:+.1f} – {gain.high * 100:+.1f}) to the baseline: that "
            f"less than {trade.margin * 100:g} points are lost {shown}"
        )
    return text


def _interval(estimate: object, form: str) -> str:
    value, low, high = (format(getattr(estimate, name), form) for name in ("value", "low", "high"))
    return f"{value} ({low} – {high})"


def _why_not(measured: Sequence[_Option], trade: Trade) -> str:
    accuracy = "the baseline's accuracy" if trade.accuracy is None else f"accuracy {trade.accuracy:.1%}"
    wish = f"{accuracy} at decode_ratio {trade.decode_ratio:g}"
    if not measured:
        return f"nothing says what gives {wish}: measure modes baseline and ssd or ssr in one evaluation"
    sums = {one: Sums.of(list(one.outcomes.values()), intervals=False) for one in measured}
    best = max(measured, key=lambda one: sums[one].accuracy.value)
    found = sums[best].ratio
    cost = "?" if found is None else f"{found.value:.2f}"
    return (
        f"nothing measured gives {wish}; the most accurate is {best.label}: {sums[best].accuracy.value:.1%} at {cost}"
    )


def _named(scorer: str) -> str:
    return "" if scorer == UNNAMED else scorer
