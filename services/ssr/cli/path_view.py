"""One path as a block of lines: its state, a line a step, and the whole text of its last step."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ssr.cli.wording import one_line, plural, printable, score_text
from ssr.core.run import Path
from ssr.core.types import PathStatus, Source, Step

#: What the marks say.
LEGEND = "✓ draft accepted  ✎ rewritten by the target"

_MARKS = {
    Source.DRAFT: ("✓", "green"),
    Source.REWRITTEN: ("✎", "yellow"),
    Source.TARGET: ("•", "cyan"),
    Source.SHARED: ("=", "green"),
    Source.UNKNOWN: ("?", "dim"),
}
_STATUS_STYLES = {
    PathStatus.RUNNING: "bold blue",
    PathStatus.ANSWERED: "bold green",
    PathStatus.STOPPED: "dim",
    PathStatus.FAILED: "bold red",
}
#: Columns left of a step's text: indent, index, mark, score, and what parts them.
_TEXT_INDENT = 12


@dataclass(frozen=True, slots=True)
class Space:
    """The lines a path may take below its heading: one a step, and those of the last step's whole text.

    `steps` None: all steps.
    """

    steps: int | None = None
    last_text: int = 0


def path_view(path: Path, width: int, space: Space) -> RenderableType:
    """The block of a path, at most `width` columns wide."""
    shown = path.steps if space.steps is None else path.steps[len(path.steps) - min(space.steps, len(path.steps)) :]
    parts: list[RenderableType] = [_heading(path)]
    if shown:
        parts.append(_steps(shown))
    if path.steps and space.last_text:
        parts.append(_last_text(path.steps[-1], width, space.last_text))
    return Group(*parts)


def _heading(path: Path) -> RenderableType:
    name = Text(f"Path {path.index}", "bold")
    if path.strategy.code:
        name.append(f"  {path.strategy.code} {one_line(path.strategy.name, 40)}", "not bold magenta")
    facts = Text(f"{plural(len(path.steps), 'step')}, {path.tokens:,} tok", "dim")
    if path.mean_score is not None:
        facts.append(f", mean {score_text(path.mean_score)}")
    row = Table.grid(padding=(0, 2, 0, 0), expand=True)
    row.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    row.add_column(justify="right", no_wrap=True, overflow="ellipsis")
    row.add_column(justify="right", no_wrap=True, overflow="ellipsis", max_width=32)
    row.add_row(name, facts, _state(path))
    return row


def _state(path: Path) -> Text:
    text = Text(path.status.replace("_", " "), _STATUS_STYLES.get(path.status, "yellow"))
    if path.answer:
        text.append(f" {one_line(path.answer, 20)}")
    return text


def _steps(steps: tuple[Step, ...]) -> RenderableType:
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(justify="right", width=4, style="dim")
    rows.add_column(width=1)
    rows.add_column(justify="right", width=3)
    rows.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    rows.add_column(justify="right", width=8, style="dim", no_wrap=True)
    for step in steps:
        mark, style = _MARKS[step.source]
        text = Text(one_line(step.text) or "(empty)")
        if step.draft_score is not None:
            text = Text.assemble((f"(was {score_text(step.draft_score)}) ", "yellow"), text)
        score = Text(score_text(step.score), style)
        rows.add_row(str(step.index + 1), Text(mark, style), score, text, f"{step.tokens:,} tok")
    return rows


def _last_text(step: Step, width: int, lines: int) -> RenderableType:
    """The end of the step's text, as many lines of it as there is room for."""
    wrapped = [
        part
        for line in printable(step.text).splitlines()
        for part in textwrap.wrap(line, max(20, width - _TEXT_INDENT - 1))
    ]
    text = Text("\n".join(wrapped[-lines:]), "dim", no_wrap=True, overflow="ellipsis")
    return Padding(text, (0, 0, 0, _TEXT_INDENT))
