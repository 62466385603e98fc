"""What each cell came to, computed from its records and from those of the baseline on the same problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ssr.core.errors import InvalidRequest
from ssr.core.types import Mode
from ssr_bench.evaluation import accounting
from ssr_bench.evaluation.accounting import Tokens, cost_ratio, mean_tokens, rewrite_share
from ssr_bench.evaluation.paired import Gain, gain_of
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.run_directory import Evaluation
from ssr_bench.evaluation.statistics import IntervalEstimate, effective_trials, mean_estimate, pass_at_k, wilson
from ssr_bench.report_json import UNREPORTED


@dataclass(frozen=True, slots=True)
class CellResult:
    """One cell of one evaluation.

    `records` are the runs that ended, `lost` how many failed for reasons that are not the models': they are counted
    nowhere else. `pass_at_k`: k and the chance that one of k repeats is right, for the most repeats that every problem
    has; None with one repeat. `gain` is the comparison with the baseline on the same problems and repeats; None for the
    baseline itself, or without one. Ratios are to the baseline, None where there is none, or a model's size is unknown.
    """

    evaluation: str
    label: str
    cell: Cell
    records: tuple[Record, ...] = field(metadata=UNREPORTED)
    lost: int
    accuracy: IntervalEstimate
    pass_at_k: tuple[int, IntervalEstimate] | None
    unanswered: int
    partial: int
    tokens: Tokens
    rewrite_share: float | None
    decode_ratio: IntervalEstimate | None
    total_ratio: IntervalEstimate | None
    target_ratio: IntervalEstimate | None
    wall_ratio: IntervalEstimate | None
    gain: Gain | None

    @property
    def paths(self) -> int:
        """Of a job, as the server had it."""
        options = next((record.options for record in self.records if record.options), None)
        return options.paths if options else self.cell.paths or 1

    @property
    def threshold(self) -> float | None:
        """As the server had it; None in modes that do not verify."""
        options = next((record.options for record in self.records if record.options), None)
        return options.threshold if options and self.cell.mode.drafts else None

    @property
    def wall_s(self) -> list[float]:
        """Seconds of each run, in rising order."""
        return sorted(record.wall_s for record in self.records if record.wall_s is not None)


def results_of(
    evaluations: Sequence[Evaluation], reference: Evaluation | None = None
) -> tuple[tuple[Evaluation, tuple[CellResult, ...]], ...]:
    """The cells of each evaluation, in the order of its plan; cells without a run that ended are left out.

    The baseline is the evaluation's own, or that of `reference`. Labels that several evaluations have begin with the
    evaluation's name. Raises: InvalidRequest when `reference` has none.
    """
    if reference is not None and not _baseline(reference):
        raise InvalidRequest("baseline", f"{reference.name} has no run of mode baseline")
    found = [(one, _cells(one, _baseline(reference or one))) for one in evaluations]
    times = Counter(result.label for _, results in found for result in results)
    return tuple((one, tuple(_reported_apart(result, times) for result in results)) for one, results in found)


def cells_of(evaluations: Sequence[Evaluation], reference: Evaluation | None = None) -> tuple[CellResult, ...]:
    """The cells of all in one list; what they have of the baseline is that of `reference`, if there is one.

    Raises: as `results_of`.
    """
    found = [one for _, cells in results_of(evaluations, reference) for one in cells]
    if reference is None:
        return tuple(found)
    baseline = [one for one in results_of([reference])[0][1] if one.cell.mode is Mode.BASELINE]
    return (*baseline, *(one for one in found if one.cell.mode is not Mode.BASELINE))


def grouped(records: Sequence[Record]) -> Mapping[Cell, tuple[Record, ...]]:
    """The records of each cell."""
    cells: dict[Cell, list[Record]] = {}
    for record in records:
        cells.setdefault(record.cell, []).append(record)
    return {cell: tuple(group) for cell, group in cells.items()}


def accuracy_of(records: Sequence[Record]) -> IntervalEstimate:
    """The share of right runs, with Wilson's interval on as many trials as the repeats are worth."""
    right = sum(record.correct for record in records)
    groups = [[record.correct for record in group] for group in _by_problem(records).values()]
    return wilson(right / len(records) if records else 0.0, effective_trials(groups))


def _reported_apart(result: CellResult, times: Mapping[str, int]) -> CellResult:
    if times[result.label] == 1:
        return result
    return replace(result, label=f"{result.evaluation}: {result.label}")


def _cells(evaluation: Evaluation, baseline: Sequence[Record]) -> tuple[CellResult, ...]:
    found = grouped(evaluation.records)
    results = []
    for cell in evaluation.plan.cells:
        records = found.get(cell, ())
        if any(not record.lost for record in records):
            results.append(_result(evaluation.name, _label(cell, records), cell, records, baseline))
    return tuple(results)


def _label(cell: Cell, records: Sequence[Record]) -> str:
    """The cell's label, with the paths that the server chose where the plan left them to it."""
    options = next((record.options for record in records if record.options), None)
    return cell.model_copy(update={"paths": cell.paths or (options.paths if options else None)}).label


def _baseline(evaluation: Evaluation) -> list[Record]:
    return [record for record in evaluation.records if record.cell.mode is Mode.BASELINE and not record.lost]


def _result(
    evaluation: str, label: str, cell: Cell, all_records: Sequence[Record], baseline: Sequence[Record]
) -> CellResult:
    records = tuple(record for record in all_records if not record.lost)
    own = cell.mode is Mode.BASELINE and all(record in baseline for record in records)
    return CellResult(
        evaluation=evaluation,
        label=label,
        cell=cell,
        records=records,
        lost=len(all_records) - len(records),
        accuracy=accuracy_of(records),
        pass_at_k=_pass_at_k(records),
        unanswered=sum(not record.answer for record in records),
        partial=sum(record.status == "partial" for record in records),
        tokens=mean_tokens(records),
        rewrite_share=rewrite_share(records),
        decode_ratio=cost_ratio(records, baseline, accounting.decode_flops),
        total_ratio=cost_ratio(records, baseline, accounting.total_flops),
        target_ratio=cost_ratio(records, baseline, accounting.target_tokens),
        wall_ratio=cost_ratio(records, baseline, accounting.wall_s),
        gain=None if own else gain_of(pairs_of(records, baseline)),
    )


def pairs_of(records: Sequence[Record], baseline: Sequence[Record]) -> list[list[tuple[bool, bool]]]:
    """Right or wrong, here and at the baseline, of each repeat that both have, problem by problem."""
    known = {(record.problem_id, record.repeat): record.correct for record in baseline}
    return [
        [(record.correct, known[key]) for record in group if (key := (record.problem_id, record.repeat)) in known]
        for group in _by_problem(records).values()
    ]


def _pass_at_k(records: Sequence[Record]) -> tuple[int, IntervalEstimate] | None:
    groups = list(_by_problem(records).values())
    k = min((len(group) for group in groups), default=0)
    if k < 2:
        return None
    chance = mean_estimate([[pass_at_k(len(group), sum(record.correct for record in group), k)] for group in groups])
    return None if chance is None else (k, chance)


def _by_problem(records: Sequence[Record]) -> Mapping[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.problem_id, []).append(record)
    return groups
