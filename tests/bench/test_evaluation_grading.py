"""Right or wrong: free answers by equivalence, choices by letter or text."""

from __future__ import annotations

import pytest

from ssr.core.answers import ANYBODY, Asked
from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision
from ssr_bench.evaluation.dataset import Problem, is_right

CHOICES = Problem("a", "Which?", "B", (("A", "12"), ("B", "7"), ("C", "B")))


class Texts:
    async def same(self, a: str, b: str, asked: Asked = ANYBODY) -> bool:
        return bool(EquivalenceDecision(Context.of(asked.problem)).verdict(a, b))


@pytest.mark.parametrize(
    ("answer", "right"), [("70000", True), ("\\$70,000", True), ("7", False), ("", False), (" ", False)]
)
async def test_free_answers(answer: str, right: bool) -> None:
    assert await is_right(answer, Problem("a", "?", "70000"), Texts()) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("B", True),
        ("(B)", True),
        ("B.", True),
        ("(B) 7", True),
        ("B: 7", True),
        ("\\text{B}", True),
        ("\\textbf{(B)}\\ 7", True),
        ("$B$", True),
        ("7", True),
        ("A", False),
        ("12", False),
        ("(A) 7", False),  # the letter counts
        ("D", False),
        ("D) 7", False),
        ("8", False),
        ("Ball", False),
        ("", False),
    ],
)
async def test_choices(answer: str, right: bool) -> None:
    assert await is_right(answer, CHOICES, Texts()) is right
