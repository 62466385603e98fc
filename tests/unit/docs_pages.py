"""The Markdown of the repository as tests read it: pages, headings, links, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

_FENCE = re.compile(r"^(```+)(\w*)[^\n]*\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?:(?: {4}|\t)[^\n]*\n|\n)+)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def prose(self) -> str:
        """The text without its blocks of code."""
        return _INDENTED.sub("\n", _FENCE.sub("", self.text))

    @property
    def links(self) -> list[str]:
        """The targets of all links and images."""
        return _LINK.findall(_SPAN.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """The headings' anchors, as a forge makes them."""
        headings = _HEADING.findall(_FENCE.sub("", self.text))
        return {re.sub(r"[^\w\- ]", "", _LINK.sub("", heading).lower()).replace(" ", "-") for heading in headings}

    def fences(self, *languages: str) -> list[str]:
        """The fenced blocks of code in these languages."""
        return [body for _, language, body in _FENCE.findall(self.text) if language in languages]

    @property
    def shell_lines(self) -> Iterator[str]:
        """The lines of code that is no other language's, continued ones joined, and the spans of code in prose."""
        for block in [*self.fences("", "sh", "bash"), *_INDENTED.findall(_FENCE.sub("", self.text))]:
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                yield line.strip()
        yield from _SPAN.findall(self.prose)


@cache
def pages() -> tuple[Page, ...]:
    """Every page but the recorded results, which name what ran then."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "helm" / "ssr" / "README.md"]
    results = ROOT / "docs" / "results"
    return tuple(
        Page(file, file.read_text()) for file in sorted(files) if results not in file.parents or file.parent == results
    )
