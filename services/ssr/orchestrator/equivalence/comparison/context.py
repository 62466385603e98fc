"""What the problem says about how its answers are to be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ssr.orchestrator.equivalence.reading.choices import choices_of

_RATIO = re.compile(r"\b(?:ratio|odds|proportion)", re.IGNORECASE)
_PERCENT = re.compile(r"\bper\s?cent|\\?%", re.IGNORECASE)
_BASE = re.compile(r"\bbase\b|\bbinary\b|\boctal\b|\bhexadecimal\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Context:
    """Of one problem. Without a problem nothing is known: `known` is False, and both ways to read count."""

    known: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    ratios: bool = False
    percent: bool = False
    based: bool = False

    @classmethod
    def of(cls, problem: str) -> Context:
        if not problem.strip():
            return cls()
        ratios, percent, based = (bool(pattern.search(problem)) for pattern in (_RATIO, _PERCENT, _BASE))
        return cls(True, choices_of(problem), ratios, percent, based)
