"""What runs cost, against the measured baseline: the target alone, writing one path for the same problem.

FLOPs, `decode_ratio` and `total_ratio` are those of `ssr.core.ledger`, with one difference: where a job's own ledger
can only estimate its baseline, these ratios are sums of what was measured over the problems that both solved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from ssr.core.prefixes import SELECTION, Prefixes
from ssr.core.types import Call, Source
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.statistics import IntervalEstimate, ratio

#: What one run cost; None: unknown.
Cost = Callable[[Record], float | None]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The mean tokens of a run, by kind; `new` and `cached` are of prompts, by all models."""

    drafted: float
    accepted: float
    rejected: float
    wasted: float
    rewritten: float
    written: float
    scoring: float
    selection: float
    new: float
    cached: float


def decode_flops(record: Record) -> float | None:
    """Of generated tokens; None where a model's size is unknown."""
    return _flops(record, lambda call, cached: call.generated_tokens)


def total_flops(record: Record) -> float | None:
    """Of all tokens that were processed; None where a model's size is unknown."""
    return _flops(record, lambda call, cached: call.prompt_tokens - cached + call.generated_tokens)


def calls_of(record: Record) -> Iterator[tuple[Call, int]]:
    """All engine calls, each with the prompt tokens that it found in the cache because of this job (`core.prefixes`).

    Paths come one after the other, as they are recorded.
    """
    reused, prefixes = Prefixes().after(SELECTION, record.selection)
    yield from zip(record.selection, reused, strict=True)
    for path in record.paths:
        for step in path.steps:
            rewritten = step.source is Source.REWRITTEN
            reused, prefixes = prefixes.after(path.index, step.calls, rewritten=rewritten)
            yield from zip(step.calls, reused, strict=True)


def target_tokens(record: Record) -> float:
    """What the target generated, for whatever purpose."""
    usage = record.usage
    return usage.rewritten_tokens + usage.written_tokens + usage.scoring_tokens + usage.selection_tokens


def wall_s(record: Record) -> float | None:
    return record.wall_s


def mean_tokens(records: Sequence[Record]) -> Tokens:
    """Zeros without records."""
    count = max(1, len(records))
    sums = {name: sum(getattr(r.usage, f"{name}_tokens") for r in records) for name in _KINDS}
    calls = [one for record in records for one in calls_of(record)]
    sums["new"] = sum(call.prompt_tokens - cached for call, cached in calls)
    sums["cached"] = sum(cached for _, cached in calls)
    return Tokens(**{name: value / count for name, value in sums.items()})


def rewrite_share(records: Sequence[Record]) -> float | None:
    """The share of drafted steps that the target wrote again; None where nothing was judged."""
    rewritten = sum(record.usage.rewritten_steps for record in records)
    judged = rewritten + sum(record.usage.accepted_steps for record in records)
    return rewritten / judged if judged and any(r.cell.mode.drafts for r in records) else None


def cost_ratio(records: Sequence[Record], baseline: Sequence[Record], cost: Cost) -> IntervalEstimate | None:
    """The cost of `records` over that of the baseline where both are known, with a bootstrap interval over problems."""
    below = {(record.problem_id, record.repeat): cost(record) for record in baseline if not record.lost}
    by_problem: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        above, base = cost(record), below.get((record.problem_id, record.repeat))
        if above is not None and base is not None and not record.lost:
            by_problem.setdefault(record.problem_id, []).append((above, base))
    return ratio([_sums(pairs) for pairs in by_problem.values()])


def sizes(records: Sequence[Record]) -> Mapping[str, int]:
    """The models that worked, with their parameters (0: unknown)."""
    found = {model.model: model.parameters for record in records for model in record.usage.models}
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def _flops(record: Record, tokens: Callable[[Call, int], int]) -> float | None:
    calls = list(calls_of(record))
    if not calls or not all(call.parameters for call, _ in calls):
        return None
    return math.fsum(2.0 * call.parameters * tokens(call, cached) for call, cached in calls)


def _sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return math.fsum(a for a, _ in pairs), math.fsum(b for _, b in pairs)


_KINDS = tuple(field.name for field in fields(Tokens) if field.name not in ("new", "cached"))
