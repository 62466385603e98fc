"""The problems that `ssr demo` solves."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import yaml


@dataclass(frozen=True, slots=True)
class DemoProblem:
    """A word problem with its known answer. `seed`: of its run, so that every demo is the same."""

    title: str
    problem: str
    answer: str
    seed: int


def demo_problems() -> tuple[DemoProblem, ...]:
    """The shipped problems, in the order of the demo."""
    text = (resources.files("ssr.cli") / "demo_problems.yaml").read_text("utf-8")
    return tuple(DemoProblem(**entry) for entry in yaml.safe_load(text))
