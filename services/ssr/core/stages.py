"""What a run of the algorithm calls, and what it gets: strategies, steps, verdicts, and which answers are equal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from ssr.core.agreement import DEFAULT_CURVE
from ssr.core.answers import Equivalence
from ssr.core.evidence.curve import ScoreCurve
from ssr.core.evidence.posterior import Posterior
from ssr.core.evidence.prior import Prior
from ssr.core.lookahead import Pacing
from ssr.core.poll_run import Verified
from ssr.core.types import Call, Options, PathContext, Step, Strategy

#: Awaited as soon as it is known that a draft will be rewritten.
OnRejected = Callable[[], Awaitable[None]]


async def unheard() -> None:
    """An `OnRejected` for which it makes no difference when the rejection is known."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The strategies for a problem's paths, best first, one a path."""

    strategies: tuple[Strategy, ...]
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A step somebody wrote, not judged yet."""

    step: Step
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step to commit after verification: the draft with its score, or the target's rewrite of it."""

    step: Step
    accepted: bool
    calls: tuple[Call, ...] = ()


class Selector(Protocol):
    """SPM: which strategies suit a problem."""

    async def select(self, job_id: str, problem: str, options: Options) -> Selection:
        """One strategy a path, best first, of the options' strategy set, by their `SelectionRule`."""
        ...


class StepWriter(Protocol):
    """Writes the next steps of a path: the draft model, or the target where nobody drafts."""

    def stream(self, context: PathContext, options: Options, *, most: int = 0) -> AsyncGenerator[Written, None]:
        """The steps that follow the context's, each as soon as it is complete; `most` of them (0: as many as come).

        `max_path_tokens` and `max_thinking_tokens` of `options` are what the path has left of them. It ends with the
        turn, with these tokens, or for reasons of its own, but never without a step. Closing it, or cancelling whoever
        reads it, ends the writing.
        """
        ...


class Verifier(Protocol):
    """SSD: the target scores a draft and replaces a weak one."""

    async def verify(self, context: PathContext, step: Step, options: Options, rejected: OnRejected) -> Verdict:
        """`rejected` is awaited before the rewrite is written, where that can be known; it need not be `unheard`."""
        ...


#: See `ssr.core.domain.Domain`.
Extract = Callable[[str, str], str]


async def _at_once(path: int) -> None:
    """The verdict on a path's draft may begin now."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Who does the work. `drafter` writes with the draft model, `writer` with the target.

    `judging` is awaited with the path's index before each verdict on a draft, also one that needs no service: whoever
    stops a run at its step boundaries holds it there. `pacing` is what is known of the pace of drafts.
    `posterior` weighs the votes for stop rule evidence, `agreement` is the curve of the scorer of that name. Of a
    domain that has them, `extract` finds the answer from the box ("": none) and all that a path says, and `verified`
    says whether an answer surely is right or wrong.
    """

    selector: Selector
    drafter: StepWriter
    writer: StepWriter
    verifier: Verifier
    equivalence: Equivalence
    judging: Callable[[int], Awaitable[None]] = _at_once
    pacing: Pacing = field(default_factory=Pacing)
    posterior: Posterior = field(default_factory=lambda: Posterior(Prior()))
    extract: Extract | None = None
    verified: Verified | None = None
    agreement: ScoreCurve = DEFAULT_CURVE
