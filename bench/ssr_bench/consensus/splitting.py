"""Settings chosen on the first half of the problems, and how they do on the second, which had no part in it. Pure.

The halves are in the order of the file: drafters learn from finished problems, so that the second half is what such a
drafter meets later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssr_bench.consensus.comparison import Row
from ssr_bench.evaluation.statistics import IntervalEstimate, ratio

#: Fewer problems are not parted.
MIN_PROBLEMS = 4


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best of a family's settings on the first half, and tokens a pass with it on the second.

    `others` has, for the drafters it is compared with, its tokens a pass on the second half over theirs: a ratio of
    means, both on the same problems. Intervals: 95 %, bootstraps over problems.
    """

    order: str
    family: str
    drafter: str
    settings: int
    first: IntervalEstimate
    second: IntervalEstimate
    others: tuple[tuple[str, IntervalEstimate], ...]


def chosen(rows: Sequence[Row], reference: str = "") -> tuple[Chosen, ...]:
    """For each order and family (what stands before a comma) the setting that is chosen; none of few problems.

    Families are compared with the chosen settings of the other families, and with the row `reference`, if named.
    """
    found: list[Chosen] = []
    for order in dict.fromkeys(row.order for row in rows):
        inside = [row for row in rows if row.order == order]
        if min((len(row.result.problems) for row in inside), default=0) < MIN_PROBLEMS:
            continue
        families: dict[str, list[Row]] = {}
        for row in inside:
            families.setdefault(family(row.drafter), []).append(row)
        if reference:
            families = {"": [row for row in inside if row.drafter != "none"]}
        best = {name: max(group, key=lambda row: _half(row, 0).value) for name, group in families.items()}
        rivals = [row for row in inside if row.drafter == reference] if reference else list(best.values())
        found += [
            Chosen(
                order,
                name or row.drafter,
                row.drafter,
                len(families[name]),
                _half(row, 0),
                _half(row, 1),
                tuple((rival.drafter, over) for rival in rivals if rival is not row and (over := _over(row, rival))),
            )
            for name, row in best.items()
        ]
    return tuple(found)


def family(drafter: str) -> str:
    """The drafter without its setting."""
    name = drafter.partition(",")[0]
    return "ngram" if name.startswith("ngram") else name


def _half(row: Row, number: int) -> IntervalEstimate:
    estimate = ratio(_parts(row)[number])
    return IntervalEstimate(0.0, 0.0, 0.0) if estimate is None else estimate


def _parts(row: Row) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(tokens, passes) of each problem of the two halves."""
    problems = [(float(one.tokens), float(one.passes)) for one in row.result.problems]
    middle = len(problems) // 2
    return problems[:middle], problems[middle:]


def _over(row: Row, other: Row) -> IntervalEstimate | None:
    """Tokens a pass over the other's on the second half: both wrote the same tokens, so passes are compared."""
    mine, its = _parts(row)[1], _parts(other)[1]
    return ratio([(theirs, ours) for (_, ours), (_, theirs) in zip(mine, its, strict=True)])
