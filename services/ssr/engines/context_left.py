"""How many tokens a model's context has left, before and after the engine is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ssr.core.errors import ContextFull, InvalidRequest
from ssr.engines.base import Engine, EngineInfo


async def tokens_left(engine: Engine, info: EngineInfo, prompt: str, wanted: int) -> int:
    """How many tokens may follow the prompt, `wanted` of them at most; 0 or less where it is full.

    A token is at least one byte of UTF-8, so the engine is asked for a count only when it could matter.
    """
    if len(prompt.encode()) + wanted <= info.max_total_tokens:
        return wanted
    return min(wanted, info.max_total_tokens - await engine.count_tokens(prompt))


async def checked_tokens_left(engine: Engine, info: EngineInfo, prompt: str, wanted: int = 1) -> int:
    """As `tokens_left`, from 1. Raises: ContextFull; the engine's errors."""
    left = await tokens_left(engine, info, prompt, wanted)
    if left < 1:
        raise context_full(info)
    return left


def context_full(info: EngineInfo) -> ContextFull:
    return ContextFull(f"the path fills the {info.max_total_tokens} tokens of {info.model}'s context")


@contextmanager
def refusals_as_full(info: EngineInfo) -> Iterator[None]:
    """An engine that finds the prompt too long says the same: it counts otherwise than we do, or has less room."""
    try:
        yield
    except InvalidRequest as refusal:
        if refusal.field != "prompt":
            raise
        raise ContextFull(f"{context_full(info)} ({refusal})") from refusal
