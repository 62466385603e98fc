"""Every relative link and anchor of the documentation leads somewhere, on a forge as on the site."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_pages import README, ROOT, Page, pages


def test_the_readme_is_an_entrance() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    broken = [
        link for link in page.links if "://" not in link and not link.startswith("mailto:") and _broken(page, link)
    ]
    assert not broken


def _broken(page: Page, link: str) -> bool:
    file, _, anchor = link.partition("#")
    target = (page.path.parent / file).resolve() if file else page.path
    if not target.exists() or ROOT not in target.parents:
        return True
    return bool(anchor) and anchor not in Page(target, target.read_text()).anchors


@pytest.mark.parametrize(
    ("text", "links", "anchors"),
    [
        ("# A, b and `c`\n\n[x](y.md#z)\n", ["y.md#z"], {"a-b-and-c"}),
        (
            "para\n\n    [no](link)\n\n`[no](link)`\n\n```\n# no heading\n[no](link)\n```\n![i](i.png)\n",
            ["i.png"],
            set(),
        ),
    ],
)
def test_a_page_is_read_as_a_forge_does(text: str, links: list[str], anchors: set[str]) -> None:
    page = Page(Path("page.md"), text)
    assert (page.links, page.anchors) == (links, anchors)


def test_every_page_can_be_reached_from_the_readme() -> None:
    by_path = {page.path: page for page in pages()}
    found, pending = {README}, [README]
    while pending:
        page = by_path[pending.pop()]
        targets = {(page.path.parent / link.partition("#")[0]).resolve() for link in page.links if "://" not in link}
        pending += targets & by_path.keys() - found
        found |= targets
    assert not {page.name for page in pages() if page.path not in found}
