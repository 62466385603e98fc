"""Sums, products, integrals and limits, as a worker decides them; and which of them need no worker."""

from __future__ import annotations

import pytest

from ssr.orchestrator.equivalence.algebra import equivalent
from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision

SAME = [
    (r"\int_0^{7} x\,dx", r"\frac{7^2}{2}"),
    (r"\int_0^1 \frac{dx}{1+x^2}", r"\frac{\pi}{4}"),
    (r"\int_0^1\int_0^1 xy\,dx\,dy", r"\frac14"),
    (r"\int_0^1 x+1 \,dx + 1", "2.5"),
    (r"3\int_0^1 x^2 dx", "1"),
    (r"x=\int_0^1 2\,dt", "2"),
    (r"∫_0^1 x dx", "½"),
    (r"\int_0^\infty e^{-x^2}\,\mathrm{d}x", r"\frac{\sqrt{\pi}}{2}"),
    (r"\int x^2\,dx", r"\frac{x^3}{3}"),
    (r"\int_0^{\pi} \sin x\,dx\text{ cm}^2", r"2\text{ cm}^2"),
    (r"\left(\int_0^1 2x\,dx, 3\right)", "(1,3)"),
    (r"\sum_{k=0}^{\infty} \frac{1}{2^k}", "2"),
    (r"\sum_{n=1}^{\infty}\frac{1}{n^2}", r"\frac{\pi^2}{6}"),
    (r"\sum_{k=1}^{n} x^k", r"\frac{x(x^n-1)}{x-1}"),
    (r"\prod_{k=2}^{100}\left(1-\frac{1}{k^2}\right)", r"\frac{101}{200}"),
    (r"\lim_{x\to0}\frac{\sin 5x}{x}", "5"),
    (r"\lim_{n\to\infty}\left(1+\frac1n\right)^n", "e"),
    (r"\lim_{x\to 0^+} \ln x", r"-\infty"),
    (r"\lim_{x \rightarrow 0^{-}} \frac{|x|}{x}", "-1"),
]
DIFFERENT = [
    (r"\int_0^1 x\,dx", r"\frac13"),
    (r"\int_0^1 x\,dx + 1", r"\frac12"),
    (r"\int_0^1 x^{19}\,dx \cdot \frac{1}{7^{20}}", r"\frac{1}{20 \cdot 7^{21}}"),
    (r"\sum_{k=0}^{\infty} \frac{1}{2^k}", "1"),
    (r"\lim_{x\to0}\frac{\sin 5x}{x}", "1"),
    (r"\int_0^{\pi} \sin x\,dx\text{ cm}", r"2\text{ cm}^2"),
    (r"\int x^2\,dx", "x^3"),
    (r"5\unknown", "5"),
    (r"\unread{5}", "5"),
]
AT_ONCE = [
    (r"\sum_{k=1}^{7} k", "28", True),
    (r"\sum_{i=1}^{10} i", "55", True),
    (r"∑_{i=1}^{10} i^2 + 1", "386", True),
    (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}", True),
    (r"\sum_{k=1}^n k", r"\frac{n(n-1)}{2}", False),
    (r"\sum_{k=0}^{n}\binom{n}{k}", "2^n", True),
    (r"\prod_{k=1}^{5} k", "5!", True),
    (r"\sum_{k=1}^{7} k", "27", False),
    (r"2\,x", "2x", True),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    assert equivalent({"a": a, "b": b})
    assert equivalent({"a": b, "b": a})


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert not equivalent({"a": a, "b": b})


@pytest.mark.parametrize(("a", "b", "same"), AT_ONCE)
def test_without_a_worker(a: str, b: str, same: bool) -> None:
    assert EquivalenceDecision(Context()).verdict(a, b) is same


@pytest.mark.parametrize(
    "answer", [r"\sum_{k=1}^{\infty} 2^{-k}", r"\sum_{k=1}^{10^7} k", r"\int_0^1 x dx", r"\sum_{k=1}^n x^k"]
)
def test_what_is_left_to_a_worker(answer: str) -> None:
    assert EquivalenceDecision(Context()).verdict(answer, "1") is None


def test_it_is_told_which_answer_is_computed() -> None:
    stages: list[str] = []
    equivalent({"a": r"\int_0^1 x dx", "b": "1"}, at=stages.append)
    assert stages == ["a", "b"]
