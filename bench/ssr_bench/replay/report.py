"""Replays as tables, and the break-even figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssr_bench.evaluation.canvas import COLOURS, blank, percent, png_of
from ssr_bench.evaluation.grid import Grid
from ssr_bench.evaluation.statistics import IntervalEstimate
from ssr_bench.replay.repairing import RepairBounds
from ssr_bench.replay.summary import GroupSummary, Prices, ReplayFigures

_COLUMNS = (
    "method",
    "right",
    "95 %",
    "to the first",
    "p",
    "target paths",
    "total cost",
    "saved",
    "95 % of saved",
    "break-even",
)


_REPAIR_COLUMNS = (
    "set",
    "problems",
    "target asked",
    "drafts share steps",
    "of a right draft",
    "in a right sample",
    "a fresh path right",
    "their tokens",
    "spared at most",
)
REPAIR_DEFINITIONS = (
    "target asked: the share of choices of 3 drafts whose votes leave doubt; drafts share steps: of those.",
    "of a right draft, in a right sample: of what they share; where no right sample of the pool reaches its results, a "
    "path that goes on from them is hardly right, so this is about the most that repaired paths can be.",
    "a fresh path right: the target's accuracy on the same problems.",
    "their tokens, spared at most: of a mean target path, per target path that is asked for; what the target's own "
    "paths take to reach the same results. 95 % in brackets: bootstrap over problems.",
)


def repair_grid(bounds: Sequence[RepairBounds], names: Mapping[str, str] | None = None) -> Grid:
    """What repair could spare and cost, a line a set; `names`: the sets' for people."""
    return Grid("Repair: bounds", _REPAIR_COLUMNS, [_repair_row(one, names or {}) for one in bounds])


def _repair_row(one: RepairBounds, names: Mapping[str, str]) -> tuple[str, ...]:
    return (
        names.get(one.group, one.group),
        str(one.problems),
        f"{one.asked:.0%}",
        f"{one.shared.value:.0%}",
        f"{one.from_right:.0%}",
        _share(one.in_right),
        _share(one.fresh),
        f"{one.tokens:.2f}",
        f"{one.spared.value:.2f} ({_ends(one.spared, '{:.2f}')})",
    )


def _share(estimate: IntervalEstimate) -> str:
    return f"{estimate.value:.0%} ({_ends(estimate, '{:.0%}')})"


def definitions(prices: Prices, orders: int) -> tuple[str, ...]:
    """What the columns mean."""
    return (
        f"Each problem is replayed in {orders} random orders of its samples; 95 %: bootstrap over problems.",
        "to the first: difference of accuracy to the first method, in points; p: sign-flip test over problems.",
        f"target paths: the target's tokens over those of its mean path; total cost: with a draft token at "
        f"{prices.draft:g} of a target token.",
        "saved: against adaptive consistency of the target alone (Beta rule, at most 4 paths) at equal accuracy, where "
        "a coin may choose between two of its settings.",
        "break-even: the price of a draft token, in target tokens, at which nothing is saved.",
    )


def grid_of(summary: GroupSummary) -> Grid:
    title = (
        f"{summary.group or 'all'}: {summary.figures[0].problems} problems; one sample of the draft is right on "
        f"{summary.draft_accuracy:.1%}, of the target on {summary.target_accuracy:.1%}"
    )
    return Grid(title, _COLUMNS, [_row(figures) for figures in summary.figures])


def _row(one: ReplayFigures) -> tuple[str, ...]:
    gap = one.against_reference
    return (
        one.method,
        f"{one.accuracy.value:.1%}",
        _ends(one.accuracy, "{:.1%}"),
        f"{100 * gap.difference.value:+.1f}",
        f"{gap.p:.2f}",
        f"{one.target.value:.2f}",
        f"{one.total.value:.2f}",
        "-" if one.saving is None else f"{one.saving.value:.0%}",
        "-" if one.saving is None else _ends(one.saving, "{:.0%}"),
        "-" if one.break_even is None else f"{one.break_even:.2f}",
    )


def break_even_figure(summaries: Sequence[GroupSummary], prices: Prices) -> bytes:
    """What drafting saves against the rival at equal accuracy, over the draft's price: one line a set and method."""
    figure, (axes,) = blank(width=8.0)
    shown = 0
    for summary in summaries:
        strength = summary.draft_accuracy / summary.target_accuracy if summary.target_accuracy else 0.0
        for one in summary.figures:
            if one.break_even is None or one.saving is None or one.saving.value >= 1:
                continue
            rival = one.total.value / (1 - one.saving.value)
            drafted = (rival - one.target.value) / one.break_even if one.break_even else 0.0
            costs = [number / 50 for number in range(51)]
            axes.plot(
                costs,
                [1 - (one.target.value + cost * drafted) / rival for cost in costs],
                color=COLOURS[shown % len(COLOURS)],
                label=f"{summary.group}, draft / target accuracy {strength:.2f}: {one.method}",
            )
            shown += 1
    axes.axhline(0.0, color="black", linewidth=0.8, linestyle=":")
    axes.axvline(prices.draft, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlabel("price of a draft token, in target tokens")
    percent(axes, "saved at equal accuracy", below_zero=True)
    axes.legend(fontsize=7, frameon=False)
    return png_of(figure)


def _ends(estimate: IntervalEstimate, form: str) -> str:
    return f"{form.format(estimate.low)} – {form.format(estimate.high)}"
