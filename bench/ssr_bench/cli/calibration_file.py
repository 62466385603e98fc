"""The calibration file as `ssr bench calibrate` keeps it: what is new replaces what is there for the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ssr.core.evidence.calibration import Calibration, Entry, ScoreEntry, calibration_text
from ssr.runtime.calibration_file import load_calibration
from ssr_bench.evaluation.score_curves import FittedCurve


def keep(file: Path, entry: Entry | None, scores: Sequence[ScoreEntry]) -> None:
    """Put the entries in the places of those for the same models, domain and scorer; the most special come first.

    Raises: InvalidRequest when the file is there and is none.
    """
    known = load_calibration(file if file.exists() else None, "write")
    priors = {_key(one): one for one in (*known.entries, *([entry] if entry else []))}
    curves = {(one.scorer, *_key(one)): one for one in (*known.scores, *scores)}
    ordered = Calibration(tuple(sorted(priors.values(), key=_special)), tuple(sorted(curves.values(), key=_special)))
    file.write_text(calibration_text(ordered), encoding="utf-8")


def entries_of(curves: Mapping[str, FittedCurve], draft: str, target: str, domain: str) -> tuple[ScoreEntry, ...]:
    """The curves as the file has them."""
    return tuple(
        ScoreEntry(
            scorer,
            one.curve,
            draft,
            target,
            domain,
            f"{one.reliability.steps} steps of {one.reliability.problems} problems; Brier score "
            f"{one.reliability.brier.value:.3f} on others, {one.reliability.constant:.3f} by the rate alone",
        )
        for scorer, one in curves.items()
    )


def _key(entry: Entry | ScoreEntry) -> tuple[str, str, str]:
    return entry.draft, entry.target, entry.domain


def _special(entry: Entry | ScoreEntry) -> int:
    return -sum(map(bool, _key(entry)))
