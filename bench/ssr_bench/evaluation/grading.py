"""Whether an answer is right: by mathematical equivalence, or by the choice it names."""

from __future__ import annotations

import re

from ssr.core.answers import Equivalence
from ssr_bench.evaluation.dataset import Problem

_WRAPPED = re.compile(r"\\(?:text(?:rm|bf|it|normal)?|math(?:rm|bf)|mbox)\s?\{([^{}]*)\}")
#: "B", "(B)", "B.", "B) 12", "(B): 12", but not "B + 1" or "AB".
_NAMES_CHOICE = re.compile(r"\(?\s*([A-Z])\s*(?:$|[).:,](?:\s|$|[^A-Za-z]))")


async def is_right(answer: str, problem: Problem, equivalence: Equivalence) -> bool:
    """Whether `answer` ("": none) is the problem's.

    A choice may be named by its letter, by letter and text, or by its text alone; the letter counts first.
    """
    if not answer.strip():
        return False
    if not problem.choices:
        return await equivalence.same(problem.answer, answer)
    return await _chosen(answer, problem, equivalence) == problem.answer


async def _chosen(answer: str, problem: Problem, equivalence: Equivalence) -> str | None:
    """The label of the choice that the answer names."""
    plain = _WRAPPED.sub(r"\1", answer).strip().strip("$").strip()
    named = _NAMES_CHOICE.match(plain)
    if named and any(named[1] == label for label, _ in problem.choices):
        return named[1]
    for label, text in problem.choices:
        if await equivalence.same(text, answer):
            return label
    return None
