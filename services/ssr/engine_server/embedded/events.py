"""From llama.cpp's chunks to one event a token, ended by TGI's rules.

What llama.cpp does not report is filled in: tokens that held only part of a character are kept back by it and surface
with the character's last token; their events here have an empty text, that token's id and log-probability 0.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import replace

from ssr.engine_server.embedded.llama_api import Candidate, CompletionChunk
from ssr.engine_server.server.backend import FinishReason, GenerationEnd, Token, TokenEvent
from ssr.engine_server.server.stopping import StopCriteria

TextOf = Callable[[int], Awaitable[str]]  #: the text of a special token, by its id

_UNKNOWN_TOKEN = Token(id=0, text="", logprob=0.0)


async def token_events(
    chunks: AsyncIterable[CompletionChunk], criteria: StopCriteria, text_of: TextOf, *, top_n: int, queue_s: float
) -> AsyncGenerator[Sequence[TokenEvent], None]:
    """One event a token, those of a chunk together, up to the one that `criteria` end the generation with."""
    seen, begun = 0, False
    special: TokenEvent | None = None  # held back: only the next chunk says whether it ended the turn
    async for chunk in chunks:
        ready: list[tuple[TokenEvent, bool]] = []
        if special is not None:
            ready.append((special, chunk.stop_type == "eos"))
            special = None
        event = await _event(chunk, text_of, top_n)
        for _ in range(chunk.generated - seen - (event is not None)):
            ready.append((_part_of(event), False))
        seen = chunk.generated
        if event is not None and event.token.special:
            special = event
        elif event is not None:
            ready.append((event, False))
        events: list[TokenEvent] = []
        for each, eos in ready:
            reason = criteria.after("" if each.token.special else each.token.text, eos=eos)
            if not begun:
                begun, each = True, each._replace(prompt=(chunk.prompt_tokens, chunk.cached_tokens))
            if reason is not None:
                yield [*events, each._replace(end=_end(chunk, reason, queue_s))]
                return
            events.append(each)
        if events:
            yield events


async def _event(chunk: CompletionChunk, text_of: TextOf, top_n: int) -> TokenEvent | None:
    if chunk.chosen is None:
        return None
    # The chunk's text, not the candidate's: it holds the whole of a character split over tokens.
    token = await _token(replace(chunk.chosen, text=chunk.content), text_of)
    top = [await _token(candidate, text_of) for candidate in chunk.candidates[:top_n]]
    return TokenEvent(token, tuple(top))


async def _token(candidate: Candidate, text_of: TextOf) -> Token:
    special = not candidate.raw
    text = await text_of(candidate.id) if special else candidate.text
    return Token(candidate.id, text, candidate.logprob, special)


def _part_of(event: TokenEvent | None) -> TokenEvent:
    token = _UNKNOWN_TOKEN if event is None else event.token
    return TokenEvent(Token(token.id, text="", logprob=0.0))


def _end(chunk: CompletionChunk, reason: FinishReason, queue_s: float) -> GenerationEnd:
    return GenerationEnd(reason, chunk.prompt_tokens, chunk.cached_tokens, queue_s)
