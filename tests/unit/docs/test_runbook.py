"""The runbook has an entry for each alert, and for no other."""

from __future__ import annotations

import re

import yaml
from docs_pages import ROOT

RUNBOOK = (ROOT / "docs" / "operate" / "runbook.md").read_text()
ALERTS = {
    rule["alert"]
    for group in yaml.safe_load((ROOT / "helm" / "ssr" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}


def test_every_alert_has_an_entry() -> None:
    assert set(re.findall(r"^### (Ssr\w+)$", RUNBOOK, re.MULTILINE)) == ALERTS


def test_entries_say_what_to_do() -> None:
    entries = re.split(r"^### ", RUNBOOK, flags=re.MULTILINE)[1:]
    assert all(len(entry.split()) > 25 for entry in entries)
