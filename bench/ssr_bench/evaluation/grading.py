"""Whether an answer is right: by mathematical equivalence, or by the choice it names."""

from __future__ import annotations

from ssr.core.answers import Asked, Equivalence
from ssr_bench.evaluation.dataset import Problem


async def is_right(answer: str, problem: Problem, equivalence: Equivalence) -> bool:
    """Whether `answer` ("": none) is the problem's.

    A choice may be named by its letter, by letter and text, or by its text alone; the letter counts first. The
    equivalence sees the choices in the problem, as it does when paths vote.
    """
    if not answer.strip():
        return False
    return await equivalence.same(problem.answer, answer, Asked(problem.id, problem.prompt))
