"""What every scorer is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ssr.core.types import Call, PathContext
from ssr.engines.base import Engine
from ssr.engines.rendering import PromptRenderer


class Rewarding(Protocol):
    """A process reward model."""

    async def right(self, problem: str, steps: Sequence[str]) -> float: ...


class JudgedStep:
    """The models that scorers ask: the target, and a reward model where there is one."""

    def __init__(self, engine: Engine, reward: Rewarding | None = None) -> None:
        self.engine, self.reward = engine, reward
        self.renderer = PromptRenderer(engine)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a scorer thinks of a step (0..9), and the engine calls that it took.

    `rejection` says why the step cannot stand, whatever the threshold is; "" where the score decides.
    """

    score: float
    calls: tuple[Call, ...] = ()
    rejection: str = ""


class Scorer(Protocol):
    """Judges the step that follows the steps of a path; it sees the problem and the path's strategy."""

    async def judge(self, context: PathContext, step: str, target: JudgedStep) -> Judgement:
        """Raises: CapabilityMissing where the engine cannot report what the scorer must know; the engine's errors."""
        ...
