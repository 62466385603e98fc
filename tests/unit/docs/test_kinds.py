"""The page of what is handled names tests that are there."""

from __future__ import annotations

import re

from chat_formats import CHAT_FORMATS
from docs_pages import ROOT

_NAMED = re.compile(r"`(?P<file>[a-z_/]+\.py)`|`(?P<test>test_[a-z0-9_]+)`")


def test_every_test_that_is_named_is_there() -> None:
    page = (ROOT / "docs/reference/kinds.md").read_text()
    where, missing, named = "", list[str](), 0
    for found in _NAMED.finditer(page):
        if found["file"]:
            where = (ROOT / "tests" / found["file"]).read_text()
        else:
            named += 1
            missing += [found["test"]] if not re.search(rf"def {found['test']}\(", where) else []
    assert missing == []
    assert named > 50


def test_every_family_of_templates_is_counted() -> None:
    page = (ROOT / "docs/reference/kinds.md").read_text()
    assert f"({len(CHAT_FORMATS)} families, property)" in page
