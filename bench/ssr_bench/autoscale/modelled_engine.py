"""An engine that writes nothing and takes its time for it: slots, prefill and decoding, for days in virtual time.

A prompt is "<new tokens> <tokens of the first step> <of the second> ...": what is to be processed, then written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from ssr.engine_server.simulated.batch import SimulatedBatch
from ssr.engine_server.simulated.latency import PrefillLine
from ssr.engines.base import (
    ANYONE,
    GREEDY,
    ChatMessage,
    EngineInfo,
    Finish,
    Generation,
    NextToken,
    Origin,
    Piece,
    Sampling,
)
from ssr_bench.autoscale.engine_model import EngineModel
from ssr_bench.streaming_engine import StreamingEngine

#: Of the information that nobody here uses.
_TOTAL_TOKENS, _TOP_N = 1 << 20, 20


def prompt_of(new_tokens: int, steps: Sequence[int] = ()) -> str:
    """A prompt for these steps, each of so many tokens."""
    return " ".join(map(str, (new_tokens, *steps)))


class ModelledEngine(StreamingEngine):
    """An `Engine` as fast as `model` says; the loop's clock is its only one.

    A step takes as long as the batch is full when it begins.
    """

    def __init__(self, model: EngineModel) -> None:
        self._model, self._batch, self._prefill = model, SimulatedBatch(model.slots), PrefillLine()

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
        """A piece a step of the prompt."""
        new_tokens, *steps = map(int, prompt.split())
        async with self._batch:
            await self._read(new_tokens)
            written = 0
            for number, tokens in enumerate(steps, 1):
                await asyncio.sleep(tokens * self._model.token_s_in(self._batch.running))
                written += tokens
                end = Generation("", written, Finish.EOS, new_tokens, 0) if number == len(steps) else None
                yield Piece("-", written, end, new_tokens, 0)

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        """Takes as long as one token."""
        async with self._batch:
            await self._read(int(prompt.split()[0]))
            await asyncio.sleep(self._model.token_s_in(self._batch.running))
        return NextToken(())

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """The texts, one behind the other."""
        return "".join(message.content for message in messages)

    async def count_tokens(self, text: str) -> int:
        """Of a prompt of this module."""
        return sum(map(int, text.split()))

    async def info(self) -> EngineInfo:
        """See `Engine.info`."""
        return EngineInfo(self._model.model_id, None, _TOTAL_TOKENS, _TOP_N)

    async def _read(self, new_tokens: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._prefill.join(loop.time(), new_tokens / self._model.prefill_tokens_per_s))
