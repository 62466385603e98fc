"""A job on a terminal: the problem, every path as it grows, then the vote and what it cost.

`render` is a pure function of a job view and the space there is, so it serves the live view, the final print and tests.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from ssr.cli.job_view import JobView
from ssr.cli.ledger_view import ratios_text, tokens_text, usage_view, vote_view
from ssr.cli.path_view import LEGEND, Space, path_view
from ssr.cli.wording import one_line, plural
from ssr.core.job import JobStatus
from ssr.core.types import Options, StopRule

_PROBLEM_LINES = 3
#: Lines of the live view that no path takes: the problem's frame and text, and the line below the paths.
_FIXED_LINES = _PROBLEM_LINES + 2 + 2
#: The most lines the whole text of a path's last step takes while the job runs.
_LIVE_TEXT_LINES = 5
#: And when it is done, on the path that won the vote.
_FINAL_TEXT_LINES = 16


def render(view: JobView, width: int, height: int | None = None) -> RenderableType:
    """The view in at most `width` columns; while the job runs, in about `height` lines (None: as many as it takes)."""
    parts: list[RenderableType] = [_problem(view, width)]
    spaces = _spaces(view, height)
    parts += [
        Padding(path_view(path, width - 2, space), (0, 1)) for path, space in zip(view.run.paths, spaces, strict=True)
    ]
    if not view.run.paths and view.job is None:
        waiting = "choosing strategies …" if view.status is JobStatus.RUNNING else "waiting for its turn …"
        parts.append(Padding(Text(waiting, "dim"), (0, 1)))
    if view.job is None:
        parts.append(Padding(_progress(view), (0, 1)))
    else:
        outcome = (Rule(style="dim"), vote_view(view.job), Text(), usage_view(view.usage, view.duration_s))
        parts += [Padding(part, (0, 1)) for part in outcome]
    return Group(*parts)


def _problem(view: JobView, width: int) -> RenderableType:
    text = Text(one_line(view.problem, _PROBLEM_LINES * max(20, width - 5)))
    title = options_text(view.options) if view.options is not None else ""
    drafts = view.options is None or view.options.mode.drafts
    return Panel(
        text,
        title=Text(title or "problem", "dim"),
        title_align="left",
        subtitle=Text(LEGEND, "dim") if drafts else None,
        subtitle_align="right",
        border_style="dim",
    )


def options_text(options: Options) -> str:
    """The options that shape a job, in a line."""
    parts = [f"mode {options.mode}", plural(options.paths, "path"), f"stop {options.stop_rule}"]
    if options.draft_paths:
        parts.insert(2, f"{options.draft_paths} drafted")
    if options.stop_rule is StopRule.EVIDENCE:
        parts.append(f"confidence {options.confidence:g}")
    if options.mode.drafts:
        parts.append(f"threshold {options.threshold:g}")
        if options.lookahead is not None:
            parts.append(f"lookahead {options.lookahead}")
        if options.reserve:
            parts.append(f"{options.reserve} in reserve")
    return ", ".join(parts)


def _spaces(view: JobView, height: int | None) -> list[Space]:
    """How many lines each path gets."""
    paths = view.run.paths
    if view.job is not None or height is None:
        winner = view.job.votes[0].paths[0] if view.job is not None and view.job.votes else -1
        return [Space(last_text=_FINAL_TEXT_LINES if path.index == winner else 0) for path in paths]
    if not paths:
        return []
    lines = max(0, (height - _FIXED_LINES) // len(paths) - 1)
    text = min(_LIVE_TEXT_LINES, lines // 3)
    return [Space(steps=lines - text, last_text=text) for _ in paths]


def _progress(view: JobView) -> Text:
    """The line below the paths while the job runs."""
    usage = view.usage
    line = Text(f"{view.elapsed_s:.0f} s", "bold")
    line.append(f"  {tokens_text(usage)} tokens", "not bold dim")
    if ratios := ratios_text(usage):
        line.append(f"; {ratios.partition(' (')[0]}", "not bold dim")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
