"""One small method of each kind, as another distribution would bring it: see pyproject.toml beside this file."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ssr.core.domain import Domain
from ssr.core.evidence.poll import PathVote
from ssr.core.prompts import DomainPrompts
from ssr.core.types import MAX_SCORE, PathContext
from ssr.verifier.scoring import JudgedStep, Judgement


class ShortSteps:
    """A scorer: the shorter a step, the better; nobody is asked."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """See `ssr.verifier.scoring.Scorer`."""
        return Judgement(MAX_SCORE * 100 / (100 + len(step)))


SHORT_STEPS = ShortSteps()


def laplace(votes: Sequence[PathVote]) -> list[float]:
    """An estimate: each answer's share of the votes, with one vote more for an answer that nobody gave."""
    counts = Counter(vote.answer for vote in votes if vote.answer is not None)
    return [counts[number] / (len(votes) + 1) for number in range(max(counts, default=-1) + 1)]


def median(scores: Sequence[float]) -> float:
    """An aggregate: the middle one of a path's step scores."""
    return statistics.median(scores)


#: A strategy set.
TWO_WAYS = """
- {code: A, name: Forwards, hint: Begin with what is given and go on from there.}
- {code: B, name: Backwards, hint: Begin with what is asked and ask what it needs.}
"""


async def same_word(a: str, b: str, tests: str) -> bool | None:
    """How answers of the domain are compared: "yes.", "Yes" and "YES" are one."""
    return a.strip(" .!").lower() == b.strip(" .!").lower()


#: A domain: what the models are asked, and how their answers are compared.
YES_NO = Domain(
    "yes-no",
    DomainPrompts(
        solving_system="You answer questions with yes or no.",
        solving_request="Think in short steps, an empty line between them. Write as \\boxed{yes} or \\boxed{no}.",
        judging_system="You check answers to questions, one step at a time.",
        selecting_system="You choose how to think about questions.",
    ),
    compare=same_word,
)


async def sums() -> list[dict[str, Any]]:
    """A data set."""
    return [{"id": f"sum-{n}", "problem": f"What is {n} + {2 * n}?", "answer": str(3 * n)} for n in range(1, 11)]
