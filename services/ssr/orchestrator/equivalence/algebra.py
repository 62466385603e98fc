r"""What only a computer algebra system decides: sums, integrals, limits and notations that `reading` does not know.

math-verify reads and compares with sympy. It errs on the generous side (it compares numbers to a few digits, and reads
past what it does not understand), so its yes is checked: what reading finds different stays different, and numbers
are compared to many digits.
"""

from __future__ import annotations

import re
from typing import Any

from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision
from ssr.orchestrator.equivalence.reading.spelling import plain

_DIGITS = 60
_SAME_DIGITS = 40
_BLOCK = re.compile(r"⟦([^⟧]*)⟧")
_SIGNS = (("√", r"\sqrt "), ("∛", r"\sqrt[3]"), ("∜", r"\sqrt[4]"), ("°", r"^{\circ}"))


def equivalent(question: dict[str, Any]) -> bool:
    """Whether the answers `a` and `b` of a question are the same; `context` has the fields of a `Context`."""
    context = Context(**question.get("context", {}))
    a, b = question["a"], question["b"]
    verdict = EquivalenceDecision(context, budget=None).verdict(a, b)
    return _by_algebra(_latex(a), _latex(b)) if verdict is None else verdict


def _latex(answer: str) -> str:
    text = _BLOCK.sub(r"\\text{\1}", plain(answer))
    for sign, command in _SIGNS:
        text = text.replace(sign, command)
    return text


def _by_algebra(a: str, b: str) -> bool:
    """Whether math-verify holds two LaTeX answers for the same, seen from either side (its `verify` has sides)."""
    from math_verify import parse, verify  # type: ignore[import-untyped]

    # Its own time limits use SIGALRM and end only Python code; ours is the kernel's.
    read_a, read_b = (parse(f"${text}$", parsing_timeout=None) for text in (a, b))
    if not any(verify(gold, given, timeout_seconds=None) for gold, given in ((read_a, read_b), (read_b, read_a))):
        return False
    return _numerically(read_a, read_b) and _same_leftovers(a, b)


def _numerically(read_a: list[Any], read_b: list[Any]) -> bool:
    """False where both are numbers that differ in their first digits."""
    import sympy  # type: ignore[import-untyped]

    x, y = (next((one for one in read if isinstance(one, sympy.Expr)), None) for read in (read_a, read_b))
    if x is None or y is None or not (x.is_number and y.is_number):
        return True
    try:
        left, right = x.evalf(_DIGITS), y.evalf(_DIGITS)
        size = max(abs(left), abs(right))
        tiny = sympy.Float(10, _DIGITS) ** -_SAME_DIGITS
        return bool(abs(left - right) <= size * tiny or size <= tiny**2)
    except (TypeError, ValueError):
        return True


def _same_leftovers(a: str, b: str) -> bool:
    """False where one answer has words that the other does not have: they are passed over by the parser."""
    words_a, words_b = (set(re.findall(r"(?<![\\A-Za-z])[A-Za-z]{4,}", text)) for text in (a, b))
    return words_a == words_b
