from __future__ import annotations

import json
from dataclasses import dataclass

from ssr_bench.report_json import report_json


@dataclass(frozen=True, slots=True)
class Part:
    count: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def test_fields_and_what_is_computed_from_them_are_in_it_at_all_depths() -> None:
    report = {"parts": (Part(6, 2.0),), 1: None, "name": "n"}
    assert json.loads(json.dumps(report_json(report))) == {
        "parts": [{"count": 6, "seconds": 2.0, "rate": 3.0}],
        "1": None,
        "name": "n",
    }
