"""Which settings give the wanted trade of accuracy for compute: what was measured first, then what can be estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode
from ssr_bench.evaluation.calibration import ScoreCalibration
from ssr_bench.evaluation.results import CellResult
from ssr_bench.evaluation.series import UNNAMED, scorer_of

#: An estimate that so few of the paths speak for is none.
MIN_KNOWN = 0.25


@dataclass(frozen=True, slots=True)
class Trade:
    """What is wanted: at least this accuracy, for at most this decode_ratio."""

    accuracy: float
    decode_ratio: float = 1.0

    @classmethod
    def wanted(cls, results: Sequence[CellResult], accuracy: float | None, decode_ratio: float) -> Trade:
        """The baseline's accuracy unless another is given. Raises: InvalidRequest."""
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise InvalidRequest("accuracy", f"must be within 0..1; got {accuracy:g}")
        if not decode_ratio > 0:
            raise InvalidRequest("decode-ratio", f"must be over 0; got {decode_ratio:g}")
        measured = [one.accuracy.value for one in results if one.cell.mode is Mode.BASELINE]
        if accuracy is None and not measured:
            raise InvalidRequest("accuracy", "is needed: no run of mode baseline shows what to reach")
        return cls(measured[0] if accuracy is None else accuracy, decode_ratio)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`scorer` "" is the server's own; `threshold` None: nothing meets the wish, `reason` says why."""

    reason: str
    threshold: float | None = None
    scorer: str = ""
    measured: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """As options of a call, and as a server's settings."""
        if self.threshold is None:
            return ()
        scorer = f" --scorer {self.scorer}" if self.scorer else ""
        lines = [f"ssr solve --threshold {self.threshold:g}{scorer} ...", f"{_THRESHOLD}={self.threshold:g}"]
        return (*lines, f"SSR_VERIFIER_SCORER={self.scorer}") if self.scorer else tuple(lines)


_THRESHOLD = "SSR_ORCHESTRATOR_DEFAULTS__THRESHOLD"


def suggest(results: Sequence[CellResult], calibrations: Sequence[ScoreCalibration], trade: Trade) -> Suggestion:
    """The cheapest cell that was measured to give the trade; else the cheapest threshold that may."""
    drafting = [one for one in results if one.cell.mode.drafts and one.decode_ratio is not None]
    good = [one for one in drafting if _accurate(one, trade) and _cost(one) <= trade.decode_ratio]
    if good:
        best = min(good, key=lambda one: (_cost(one), -one.accuracy.value))
        scorer = _named(scorer_of(best.records[0]))
        reason = f"measured: {best.label} is right on {best.accuracy.value:.1%} at decode_ratio {_cost(best):.2f}"
        return Suggestion(reason, best.threshold, scorer, measured=True)
    tried = [(ratio, one, tried) for one in calibrations for tried in one.sweep if (ratio := tried.decode_ratio)]
    likely = [
        (ratio, one, row)
        for ratio, one, row in tried
        if row.known >= MIN_KNOWN and row.right.value >= trade.accuracy and ratio <= trade.decode_ratio
    ]
    if likely:
        ratio, one, row = min(likely, key=lambda item: item[0])
        reason = (
            f"estimated, not measured: a single path at threshold {row.threshold:g} of {one.scorer} would be right on "
            f"{row.low:.0%} to {row.high:.0%} at decode_ratio {ratio:.2f}; measure it"
        )
        return Suggestion(reason, row.threshold, _named(one.scorer))
    return Suggestion(_why_not(drafting, trade))


def _why_not(drafting: Sequence[CellResult], trade: Trade) -> str:
    wish = f"accuracy {trade.accuracy:.1%} at decode_ratio {trade.decode_ratio:g}"
    if not drafting:
        return f"nothing says what gives {wish}: measure modes baseline and ssd or ssr in one evaluation"
    best = max(drafting, key=lambda one: one.accuracy.value)
    return (
        f"nothing measured gives {wish}; the most accurate is {best.label}: {best.accuracy.value:.1%} at "
        f"{_cost(best):.2f}"
    )


def _accurate(one: CellResult, trade: Trade) -> bool:
    return one.accuracy.value >= trade.accuracy


def _cost(one: CellResult) -> float:
    return one.decode_ratio.value if one.decode_ratio else float("inf")


def _named(scorer: str) -> str:
    return "" if scorer == UNNAMED else scorer
