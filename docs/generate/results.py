"""Makes the figures of README and docs that are results from the records in docs/results.

python docs/generate/results.py            writes them
python docs/generate/results.py --check    exit status 1 when a figure is not what the records give

A page marks a table with "<!-- result: NAME -->" and "<!-- end of result -->" on lines of their own, and a figure in a
line with "<!--=NAME-->" and "<!--=-->" around it.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from evaluation_results import evaluation_results
from pair_results import PairResults

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
RECORDS = RESULTS / "pair" / "graded.jsonl.gz"
_TABLE = re.compile(r"(<!-- result: (\S+) -->\n\n)(.*?)(\n\n<!-- end of result -->)", re.DOTALL)
_FIGURE = re.compile(r"(<!--=([\w-]+)-->)(.*?)(<!--=-->)")


def pages() -> Iterator[Path]:
    """README and all pages of docs."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def made(text: str, results: Mapping[str, Callable[[], str]]) -> str:
    """The page with each marked figure as the records give it. Raises: KeyError for a name that nothing makes."""
    for pattern in (_TABLE, _FIGURE):
        text = pattern.sub(lambda found: f"{found[1]}{results[found[2]]()}{found[4]}", text)
    return text


def marked(text: str) -> list[str]:
    """The names of the results that a page has."""
    return [found[2] for pattern in (_TABLE, _FIGURE) for found in pattern.finditer(text)]


def results() -> dict[str, Callable[[], str]]:
    """What makes each result, by its name."""
    return {**PairResults(RECORDS).results(), **evaluation_results(RESULTS)}


def main(arguments: list[str]) -> int:
    makers = results()
    stale = 0
    for page in pages():
        text = page.read_text()
        new = made(text, makers)
        if new == text:
            continue
        stale += 1
        if arguments == ["--check"]:
            name = str(page.relative_to(ROOT))
            lines = difflib.unified_diff(
                text.splitlines(), new.splitlines(), name, "from the records", lineterm="", n=0
            )
            print("\n".join(lines), file=sys.stderr)  # noqa: T201
        else:
            page.write_text(new)
    if stale and arguments == ["--check"]:
        print("figures are not what the records give: run make results", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
