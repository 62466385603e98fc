"""`ssr bench calibrate` of recorded samples: what the votes of a pair are worth, and whether drafting pays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ssr.cli.exit_status import ExitStatus
from ssr.core.evidence.calibration import Calibration, Entry
from ssr.core.limits import check_within
from ssr_bench.cli.reporting import show, stacked

if TYPE_CHECKING:
    from ssr_bench.evaluation.score_curves import FittedCurve
    from ssr_bench.replay.calibrating import Judged, PairCalibration
    from ssr_bench.replay.pool import PooledProblem

_WIDTH = 140


@dataclass(frozen=True, slots=True)
class PairRequest:
    """What is asked for: pools, the models' names, their domain, and where the file goes."""

    dirs: tuple[Path, ...]
    draft: str
    target: str
    domain: str
    draft_cost: float
    write: Path | None
    as_json: bool
    margin: float = 5.0


def has_samples(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("target.jsonl.gz", "target.jsonl"))


async def calibrate_samples(pair: PairRequest) -> ExitStatus:
    """Fit, try, show, and write. Raises: InvalidRequest."""
    from ssr.orchestrator.equivalence.checker import MathVerifyEquivalence
    from ssr_bench.cli.calibration_file import entries_of, keep
    from ssr_bench.replay.calibrating import calibrate_pair
    from ssr_bench.replay.pool import read_pool
    from ssr_bench.report_json import report_json

    check_within("draft-cost", pair.draft_cost, 0, 10)
    async with MathVerifyEquivalence() as equivalence:
        problems = [one for folder in pair.dirs for one in await read_pool(folder, equivalence)]
    names = Entry(prior=Calibration().entry().prior, draft=pair.draft, target=pair.target, domain=pair.domain)
    with Console(stderr=True).status("fitting and replaying …"):
        found = await asyncio.to_thread(calibrate_pair, problems, pair.draft_cost, names)
        curves = await asyncio.to_thread(_curves, pair.dirs, problems)
    if pair.write is not None:
        scores = entries_of(curves, pair.draft, pair.target, pair.domain)
        await asyncio.to_thread(keep, pair.write, found.entry, scores)
    document = {**report_json(found), "scores": curves}
    show(document, Group(_tables(found, pair), *_curve_tables(curves)), pair.as_json, _WIDTH)
    return ExitStatus.DONE


def _curves(folders: Sequence[Path], problems: Sequence[PooledProblem]) -> dict[str, FittedCurve]:
    from ssr_bench.replay.scored import score_curves, scored_problems

    return score_curves([one for folder in folders for one in scored_problems(folder, problems)])


def _curve_tables(curves: Mapping[str, FittedCurve]) -> list[RenderableType]:
    from ssr_bench.evaluation.curve_report import DEFINITIONS, curve_grid

    notes = Text("\n".join(DEFINITIONS), "dim")
    return ["", stacked([curve_grid(curves).rich()]), notes] if curves else []


def _held_out(judged: Judged, margin: float) -> str:
    """What choosing so comes to on problems that had no part in it."""
    right, gain, total, saved = judged.accuracy, judged.gain, judged.total, judged.saved
    text = (
        f"chosen on the other folds ({judged.folds}, over {judged.problems} problems): {right.value:.1%} right "
        f"({right.low:.1%} – {right.high:.1%}) "
        f"for {total.value:.2f} target paths ({total.low:.2f} – {total.high:.2f}); "
        f"{gain.value * 100:+.1f} points ({gain.low * 100:+.1f} – {gain.high * 100:+.1f}) to the vote: that less than "
        f"{margin:g} points are lost {'is shown' if judged.no_loss(margin / 100) else 'is not shown'}"
    )
    if saved is None:
        return text
    return f"{text}; drafting saves {saved.value:.0%} ({saved.low:.0%} – {saved.high:.0%}) of the best without drafts"


def _tables(found: PairCalibration, pair: PairRequest) -> Group:
    from ssr_bench.evaluation.grid import Grid

    rows = [
        (one.method.label, f"{one.accuracy:.1%}", f"{one.target:.2f}", f"{one.total:.2f}", "yes" if one.good else "no")
        for one in sorted(found.candidates, key=lambda one: one.total)
    ]
    columns = ("method", "right", "target paths", f"total at {pair.draft_cost:g}", "accurate enough")
    skills = ", ".join(f"{a} {s.mean:+.2f} ± {s.spread:.2f}" for a, s in found.entry.prior.skills.items())
    lines = [
        Text(f"log-odds of being right, and their spread over problems: {skills}"),
        Text(f"vote of the target {found.vote:.1%}, one path of it {found.alone:.1%}"),
        Text(found.reason, "bold"),
    ]
    if found.judged is not None:
        lines.append(Text(_held_out(found.judged, pair.margin)))
    said = found.entry.suggestion
    if said is not None:
        mode = f"cascade --draft-paths {said.draft_paths}" if said.draft_paths else "parallel --stop-rule evidence"
        rule = f"--paths {said.paths} --confidence {said.confidence:g} --min-gain {said.min_gain:g}"
        lines.append(Text(f"  ssr solve --mode {mode} {rule} ..."))
    if pair.write is not None:
        lines.append(Text(f"  SSR_ORCHESTRATOR_CALIBRATION={pair.write}"))
        lines.append(Text(f"  SSR_VERIFIER_CALIBRATION={pair.write}  (scores as below: choose thresholds anew)"))
    return Group(stacked([Grid("Tried, by cross-validation", columns, rows).rich()]), *lines)
