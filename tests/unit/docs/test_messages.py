"""The pages of JSON, events and errors name what there is."""

from __future__ import annotations

import re

from docs_pages import ROOT

from ssr.client import job_to_json
from ssr.core import errors
from ssr.core.job import Job, JobStatus
from ssr.core.run import Path
from ssr.core.types import NO_STRATEGY, Options, Source, Step
from ssr.v1 import reasoning_pb2

BUILD = ROOT / "docs" / "build"


def test_the_page_of_json_has_every_field() -> None:
    page = (BUILD / "json.md").read_text()
    rows = re.findall(r"^\| (?:its )?(`[^|]+) \|", page, re.MULTILINE)
    job = Job(
        "job-a", JobStatus.ANSWERED, "?", Options(), paths=(Path(0, NO_STRATEGY, (Step(0, "x", Source.DRAFT, 1),)),)
    )
    found = job_to_json(job)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {*found, "steps"}
    [path] = found["paths"]
    assert f"`[{{{', '.join(path)}}}]`" in page
    assert f"`[{{{', '.join(path['steps'][0])}}}]`" in page


def test_the_page_of_python_has_every_event() -> None:
    kinds = reasoning_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
    named = re.findall(r"^\| `(\w+)` \| `ssr\.core", (BUILD / "python.md").read_text(), re.MULTILINE)
    assert named == [kind.name.title().replace("_", "") for kind in kinds]


def test_the_page_of_errors_names_errors() -> None:
    table = (BUILD / "errors.md").read_text().partition("| in Python")[2]
    named = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert len(named) > 5
    assert all(issubclass(getattr(errors, name), errors.SsrError) for name in named)
