"""What engines that are measured in one process have in common: writing is a stream, and the rest is seldom asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Self

from ssr.core.errors import CapabilityMissing, Unavailable
from ssr.engines.base import ANYONE, GREEDY, Generation, Likelihood, NextToken, Origin, Piece, Sampling


class StreamingEngine(ABC):
    """The part of an `Engine` that follows from its stream, and what such an engine cannot do unless it says how."""

    @abstractmethod
    def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        """See `Engine.stream`."""

    async def generate(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> Generation:
        """The end of the stream. Raises: Unavailable where it has none."""
        async with aclosing(self.stream(prompt, max_tokens=max_tokens, stop=stop, sampling=sampling)) as pieces:
            async for piece in pieces:
                if piece.end is not None:
                    return piece.end
        raise Unavailable("a stream without an end")

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        """Raises: CapabilityMissing."""
        raise CapabilityMissing("this engine only writes")

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        """Raises: CapabilityMissing."""
        raise CapabilityMissing("this engine only writes")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:  # noqa: B027 - most have nothing to close
        """Nothing is open."""
