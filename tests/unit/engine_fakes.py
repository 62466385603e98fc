"""An engine that says what the test reports it to."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Self

from ssr.engines.base import (
    ANYONE,
    GREEDY,
    ChatMessage,
    EngineInfo,
    Finish,
    Generation,
    Likelihood,
    NextToken,
    Origin,
    Piece,
    Sampling,
    TokenLogprob,
)


@dataclass
class FakeEngine:
    """Gives `texts` and `tokens` in order, and remembers what it was asked."""

    texts: list[str | Generation] = field(default_factory=list)
    tokens: list[list[tuple[str, float]]] = field(default_factory=list)
    likelihoods: list[tuple[float, ...]] = field(default_factory=list)
    max_total_tokens: int = 4096
    max_top_n: int = 20
    prompts: list[str] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    max_tokens: list[int] = field(default_factory=list)
    affinities: list[str] = field(default_factory=list)
    renders: int = 0

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
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        self.max_tokens.append(max_tokens)
        self.affinities.append(affinity)
        text = self.texts.pop(0)
        return text if isinstance(text, Generation) else Generation(text, 5, Finish.STOP, 50, 40)

    async def stream(
        self,
        prompt: str,
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        sampling: Sampling = GREEDY,
        affinity: str = "",
        origin: Origin = ANYONE,
    ) -> AsyncGenerator[Piece, None]:
        end = await self.generate(prompt, max_tokens=max_tokens, stop=stop, sampling=sampling, affinity=affinity)
        words = re.findall(r"\S+\s*|\s+", end.text)
        for number, word in enumerate(words, 1):
            yield Piece(word, min(number, end.tokens))
        yield Piece("", end.tokens, end)

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        self.prompts.append(prompt)
        self.affinities.append(affinity)
        candidates = self.tokens.pop(0)[: min(top_n, self.max_top_n)]
        return NextToken(tuple(TokenLogprob(text, logprob) for text, logprob in candidates), 60, None)

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        self.prompts.append(prompt + text)
        self.affinities.append(affinity)
        return Likelihood(self.likelihoods.pop(0), 70, None)

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        self.renders += 1
        return "".join(f"<{m.role}>{m.content}</{m.role}>" for m in messages) + "<assistant>"

    async def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def info(self) -> EngineInfo:
        return EngineInfo("fake", 1_000, self.max_total_tokens, self.max_top_n)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None
