"""Figures as files: blank axes, shares, intervals, numbers that do not collide, and the data beside the picture.

matplotlib is imported when the first figure is drawn. Colours are those of Okabe and Ito, which people with
colour-vision deficiencies distinguish.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from ssr.core.errors import CapabilityMissing
from ssr_bench.evaluation.statistics import IntervalEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
LINES = ("-", "--", ":", "-.")
_DPI = 150
#: Of a number beside a point: the width of a digit and the height, in points; and half of what a marker takes.
_DIGIT, _HEIGHT, _MARKER = 6.0, 10.0, 5.0

#: A row of what a figure shows.
Row = Sequence[str | float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its file's name and what it shows: as picture, as vectors, and the `rows` that are drawn."""

    name: str
    caption: str
    png: bytes
    svg: bytes
    pdf: bytes
    columns: Sequence[str]
    rows: Sequence[Row]

    @classmethod
    def of(cls, name: str, caption: str, figure: Figure, columns: Sequence[str], rows: Sequence[Row]) -> Drawing:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once for all forms
        images = {form: _image(figure, form) for form in ("png", "svg", "pdf")}
        return cls(name, caption, images["png"], images["svg"], images["pdf"], columns, rows)

    @property
    def csv(self) -> str:
        """The rows, as CSV with a head."""
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    def write(self, folder: Path) -> None:
        """NAME.png, .svg, .pdf and .csv."""
        for form, content in (("png", self.png), ("svg", self.svg), ("pdf", self.pdf), ("csv", self.csv.encode())):
            (folder / f"{self.name}.{form}").write_bytes(content)


def check_plotting() -> None:
    """Raises: CapabilityMissing without matplotlib."""
    if find_spec("matplotlib") is None:
        raise CapabilityMissing("drawing figures needs matplotlib: pip install 'ssr-serve[plots]'")


def blank(columns: int = 1, width: float = 7.0, height: float = 4.4, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with axes row by row, which no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.25, linewidth=0.6)
        one.set_axisbelow(True)
    return figure, axes


def png_of(figure: Figure) -> bytes:
    """The figure as PNG."""
    return _image(figure, "png")


def percent(axes: Axes, what: str, top: float | None = None, *, below_zero: bool = False) -> None:
    """The y axis is a share, from 0 on unless there are shares below it."""
    from matplotlib.ticker import PercentFormatter

    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylabel(what)
    if not below_zero:
        axes.set_ylim(0, top)


def whole_ticks(axes: Axes) -> None:
    """Ticks of the x axis at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def bars_of(estimates: Sequence[IntervalEstimate]) -> list[list[float]]:
    """The lengths of error bars below and above."""
    return [[one.value - one.low for one in estimates], [one.high - one.value for one in estimates]]


def legend(axes: Axes) -> None:
    """Beside the axes, where it covers nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=8, frameon=False)


def number(axes: Axes, points: Sequence[tuple[float, float]], numbers: Sequence[int]) -> None:
    """A number beside each point, none on another or on a point, with a line to its point where it stands away.

    To be called when the axes have all that they show.
    """
    figure = axes.figure
    figure.draw_without_rendering()  # type: ignore[union-attr]
    scale = 72.0 / figure.dpi
    places = [tuple(float(x) * scale for x in axes.transData.transform(point)) for point in points]
    box = axes.get_window_extent()
    bounds = (box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)
    offsets = apart([(x, y) for x, y in places], [len(str(one)) * _DIGIT for one in numbers], bounds)
    for point, one, (dx, dy) in zip(points, numbers, offsets, strict=True):
        arrow = {"arrowstyle": "-", "linewidth": 0.5, "color": "#777777"} if math.hypot(dx, dy) > 3 * _MARKER else None
        axes.annotate(
            str(one),
            point,
            xytext=(dx, dy),
            textcoords="offset points",
            fontsize=9,
            weight="bold",
            ha="center",
            va="center",
            arrowprops=arrow,
        )


def apart(
    points: Sequence[tuple[float, float]], widths: Sequence[float], bounds: tuple[float, float, float, float]
) -> list[tuple[float, float]]:
    """Where the middle of each point's label is, from the point: the nearest place that nothing has. All in points."""
    taken = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in points]
    offsets = []
    for (x, y), width in zip(points, widths, strict=True):
        for dx, dy in _around():
            box = (x + dx - width / 2, y + dy - _HEIGHT / 2, x + dx + width / 2, y + dy + _HEIGHT / 2)
            inside = bounds[0] <= box[0] and bounds[1] <= box[1] and box[2] <= bounds[2] and box[3] <= bounds[3]
            if inside and not any(_overlap(box, other) for other in taken):
                break
        offsets.append((dx, dy))
        taken.append(box)
    return offsets


def _around() -> Iterator[tuple[float, float]]:
    """Places in rising distance, to the upper right first."""
    for ring in range(1, 20):
        radius = 4.0 + 8.0 * ring
        for turn in range(16):
            angle = math.pi / 4 + turn * math.pi / 8
            yield radius * math.cos(angle), radius * math.sin(angle)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _image(figure: Figure, form: str) -> bytes:
    """The same bytes for the same figure."""
    from matplotlib import rc_context

    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    out = BytesIO()
    with rc_context({"svg.hashsalt": "ssr", "svg.fonttype": "none"}):
        figure.savefig(out, format=form, dpi=_DPI, metadata=metadata)
    return out.getvalue()
