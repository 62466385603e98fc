"""The report of an evaluation as people see it: in a real Chromium, on a wide and on a narrow screen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from hang_limit import LIMIT_S

from ssr.core.types import Mode, Options
from ssr_bench.evaluation.plan import Cell
from ssr_bench.evaluation.report import write_report
from ssr_bench.evaluation.run_directory import Evaluation

WIDE, NARROW = 1200, 400
#: Shows the report in a frame of each width, and writes what it finds into the page.
FRAMES = """<!doctype html><meta charset="utf-8"><body style="margin:0">
{frames}<pre id="facts"></pre><script>
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument, root = page.documentElement;
    const images = [...page.querySelectorAll("img")];
    return {{
      width: frame.clientWidth,
      scrolls: root.scrollWidth > root.clientWidth,
      images: images.length,
      loaded: images.every((one) => one.complete && one.naturalWidth > 0),
      inside: images.every((one) => one.getBoundingClientRect().right <= root.clientWidth),
      tables: [...page.querySelectorAll("table")].every((one) => one.getBoundingClientRect().right <= root.clientWidth),
      named: images.every((one) => one.alt.length > 10),
      headings: [...page.querySelectorAll("h2")].map((one) => one.textContent),
    }};
  }});
  document.getElementById("facts").textContent = JSON.stringify(found);
}});
</script>"""


def seen(page: Path, folder: Path) -> list[dict[str, Any]]:
    """What a browser finds on the page at each width."""
    text = escape(page.read_text(), quote=True)
    frames = "".join(
        f'<iframe width="{w}" height="900" style="border:0" srcdoc="{text}"></iframe>' for w in (WIDE, NARROW)
    )
    shown = folder / "frames.html"
    shown.write_text(FRAMES.format(frames=frames))
    chromium = shutil.which("chromium")
    assert chromium is not None
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--window-size=1700,1000", "--virtual-time-budget=20000", "--dump-dom", shown.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    facts = re.search(r'<pre id="facts">(.+?)</pre>', done.stdout, re.DOTALL)
    assert facts, done.stderr[-2000:]
    return list(json.loads(unescape(facts[1])))


def test_the_report_is_readable_on_a_wide_and_on_a_narrow_screen(tmp_path: Path, runs: Evaluation) -> None:
    write_report([runs], tmp_path)
    pages = seen(tmp_path / "report.html", tmp_path)
    assert [one["width"] for one in pages] == [WIDE, NARROW]
    for one in pages:
        assert not one["scrolls"], one
        assert one["images"] >= 5
        assert one["loaded"]
        assert one["inside"]
        assert one["tables"]
        assert one["named"]
        assert {"Accuracy", "Compute, against the measured baseline", "Figures"} <= set(one["headings"])


@pytest.fixture
def runs() -> Evaluation:
    if not shutil.which("chromium"):
        pytest.skip("needs chromium")
    from evaluation_records import BASELINE, drafted, evaluation, record, written

    records = [
        record(cell, f"p{number}", number % 3 < 2, paths=paths, wall_s=1.0 + number, options=options)
        for cell, paths, options in (
            (BASELINE, written(100), Options(mode=Mode.BASELINE, paths=1)),
            (Cell(mode=Mode.PARALLEL, paths=3), written(90), Options(mode=Mode.PARALLEL, paths=3)),
            (Cell(mode=Mode.SSD), [drafted(8.0, 2.0)], Options(mode=Mode.SSD, paths=1, threshold=5.0, scorer="judge")),
        )
        for number in range(8)
    ]
    return evaluation(records, name="a-long-name-of-an-evaluation-that-does-not-fit", count=8)
