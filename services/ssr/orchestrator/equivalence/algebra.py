r"""What only a computer algebra system decides: sums, integrals, limits and notations that `reading` does not know.

math-verify reads, and sympy computes. Answers that are numbers are compared by many digits; others by math-verify. It
errs on the generous side (it reads past what it does not understand), so a yes is checked: what reading finds different
stays different, and so do answers with words or commands that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ssr.orchestrator.equivalence.calculus import NotComputed, computed
from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision
from ssr.orchestrator.equivalence.reading.expression import Expression, to_data
from ssr.orchestrator.equivalence.reading.forms import Form, with_parts
from ssr.orchestrator.equivalence.reading.names import GREEK, READ_FUNCTIONS
from ssr.orchestrator.equivalence.reading.spelling import plain

_DIGITS = 60
_SAME_DIGITS = 40
_BLOCK = re.compile(r"⟦([^⟧]*)⟧")
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_COMMANDS = re.compile(r"\\[A-Za-z]+")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[bpvBV]?matrix\}")
_BESIDE = re.compile(r"\d\s+\d|\.\.|(?<![\\A-Za-z])[A-Za-z]\d|\\frac\s?\d{3}")
#: Commands that math-verify's parser reads.
_KNOWN = frozenset(
    f"\\{name}"
    for name in (
        *READ_FUNCTIONS,
        *GREEK,
        *(
            "det",
            "frac",
            "sqrt",
            "binom",
            "sum",
            "prod",
            "int",
            "iint",
            "oint",
            "lim",
            "to",
            "rightarrow",
            "infty",
            "pi",
        ),
        *("begin", "end", "cdot", "times", "div", "pm", "mp", "le", "ge", "ne", "in", "cup", "cap", "setminus"),
        *(
            "emptyset",
            "mathbb",
            "text",
            "lfloor",
            "rfloor",
            "lceil",
            "rceil",
            "circ",
        ),
    )
)
_SIGNS = (("√", r"\sqrt "), ("∛", r"\sqrt[3]"), ("∜", r"\sqrt[4]"), ("°", r"^{\circ}"))


#: The formulas of an answer in their order, computed and as plain data.
Computed = dict[str, list[Any]]


def equivalent(
    question: dict[str, Any], at: Callable[[str], None] = lambda _: None, found: Computed | None = None
) -> bool:
    """Whether the answers `a` and `b` of a question are the same; `context` has the fields of a `Context`.

    `at` gets what is computed from then on: "a" or "b" alone, or both ("="). `found` gets what was computed of each.
    """
    context = Context(**question.get("context", {}))
    a, b, names = question["a"], question["b"], iter("ab")

    def compute(_: str, form: Form) -> Form | None:
        name = next(names)
        at(name)
        trees: list[Expression] = []

        def one(tree: Expression) -> Expression:
            trees.append(computed(tree))
            return trees[-1]

        try:
            form = with_parts(form, one)
        except NotComputed:
            return None
        if found is not None:
            found[name] = [to_data(tree) for tree in trees]
        return form

    verdict = EquivalenceDecision(context, budget=None, compute=compute).verdict(a, b)
    return _by_algebra(_latex(a), _latex(b), at) if verdict is None else verdict


def _latex(answer: str) -> str:
    text = _BLOCK.sub(r"\\text{\1}", plain(answer))
    for sign, command in _SIGNS:
        text = text.replace(sign, command)
    return text


def _by_algebra(a: str, b: str, at: Callable[[str], None]) -> bool:
    """Whether two LaTeX answers are the same, seen from either side (math-verify's `verify` has sides)."""
    from math_verify import parse, verify  # type: ignore[import-untyped]

    # Its own time limits use SIGALRM and end only Python code; ours is the kernel's.
    read, values = [], []
    for name, text in (("a", a), ("b", b)):
        at(name)
        read.append(parse(f"${text}$", parsing_timeout=None))
        values.append(_value(read[-1]))
    at("=")
    same = None if None in values else _same_digits(*values)
    if same is None:
        sides = (read, read[::-1])
        same = any(verify(gold, given, timeout_seconds=None) for gold, given in sides)
    if same and (_leftovers(a) or _leftovers(b)):
        return "".join(a.split()) == "".join(b.split())
    return same


def _value(read: list[Any]) -> Any:
    """The digits of what was read; None where it is no number, or none that sympy can compute."""
    import sympy  # type: ignore[import-untyped]

    found = next((one for one in read if isinstance(one, sympy.Expr)), None)
    if found is None or not found.is_number:
        return None
    try:
        value = found.doit().evalf(_DIGITS)
    except (TypeError, ValueError, NotImplementedError, ZeroDivisionError):
        return None
    return value if all(part.is_Float or part.is_Rational for part in value.as_real_imag()) else None


def _same_digits(left: Any, right: Any) -> bool:
    import sympy

    size = max(abs(left), abs(right))
    tiny = sympy.Float(10, _DIGITS) ** -_SAME_DIGITS
    if left == 0 or right == 0:  # what comes to nothing is computed as nearly nothing
        return bool(size <= tiny)
    return bool(abs(left - right) <= size * tiny)


def _leftovers(text: str) -> bool:
    """Whether there is something in an answer that its parser passes over or takes for something else: words, commands
    that it does not know, numbers beside each other.
    """
    text = _ENVIRONMENT.sub(";", text)
    return bool(_WORDS.search(text) or _BESIDE.search(text) or set(_COMMANDS.findall(text)) - _KNOWN)
