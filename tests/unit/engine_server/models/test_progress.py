import io
from typing import Any

from rich.console import Console

from ssr.engine_server.models import RichProgress


def progress_on(*, terminal: Any) -> Any:
    out = io.StringIO()
    return RichProgress(Console(file=out, force_terminal=terminal, width=100)), out


def test_without_a_terminal_each_tenth_is_a_line() -> None:
    progress, out = progress_on(terminal=False)
    progress.start("tiny", 1000)
    for _ in range(100):
        progress.advance(10)
    progress.finish()
    lines = out.getvalue().splitlines()
    assert lines[0] == "tiny: 0 bytes of 1.0 kB (0 %)"
    assert lines[-1] == "tiny: 1.0 kB of 1.0 kB (100 %)"
    assert len(lines) == 11


def test_a_resumed_pull_begins_where_it_was() -> None:
    progress, out = progress_on(terminal=False)
    progress.start("tiny", 1000, 550)
    progress.finish()
    assert out.getvalue() == "tiny: 550 bytes of 1.0 kB (55 %)\n"


def test_on_a_terminal_there_is_a_bar_and_notes_appear() -> None:
    progress, out = progress_on(terminal=True)
    progress.start("tiny", 1000)
    progress.advance(1000)
    progress.note("[half] done")
    progress.finish()
    assert "1.0/1.0 kB" in out.getvalue()
    assert "[half] done" in out.getvalue()


def test_a_pull_that_never_started_may_be_finished() -> None:
    progress, out = progress_on(terminal=True)
    progress.finish()
    progress.advance(1)
    assert out.getvalue() == ""
