"""What SSR needs of a language model server, whatever its make.

An `Engine` is one model behind some HTTP API, or a pool of equal replicas of it (`pool.py`). Prompts are plain text
that the model's own chat template has already rendered, so that a path's growing text is always a plain prefix and the
engine's prefix cache serves it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

from ssr.core.prompts import ChatMessage as ChatMessage


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 is greedy; `top_p` 1 keeps the whole distribution.

    `thinking_tokens`: of a prompt that ends inside its thinking, how many tokens may come until that ends; an engine
    that can ends it then, all others go on. None: any number.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    seed: int | None = None
    thinking_tokens: int | None = None


GREEDY = Sampling(temperature=0.0, top_p=1.0)


@dataclass(frozen=True, slots=True)
class Origin:
    """On whose behalf an engine works; engines that know no such thing ignore it.

    A higher `priority` goes first among the calls that wait in the engine (0: as everyone; only sent where the settings
    say that the engine schedules by priority). Calls share cached prefixes only with those of the same `cache_salt`
    ("": all do), so that nobody can find out from timings what another tenant has asked.
    """

    priority: int = 0
    cache_salt: str = ""


ANYONE = Origin()
#: On whose behalf the current task works, for calls that do not say: a service sets it for each call that it serves,
#: and the authors and scorers in between need not know.
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=ANYONE)
#: Batch work goes behind the rest.
BATCH_PRIORITY = -1


class Finish(StrEnum):
    """Why a generation ended."""

    STOP = "stop"  #: a stop text came up
    EOS = "eos"  #: the model ended its turn
    LENGTH = "length"  #: `max_tokens` were generated


def total_logprob(parts: Iterable[float | None]) -> float | None:
    """The log probability of texts that follow one another; None where that of one is not reported."""
    known = list(parts)
    return None if None in known else sum(one for one in known if one is not None)


@dataclass(frozen=True, slots=True)
class Generation:
    """A generated text, without the stop text that ended it.

    `tokens` counts all generated tokens, the stop's included. `prompt_tokens` counts the whole prompt and
    `cached_tokens` those of them that the engine did not have to process; None where the engine does not report.
    `seconds`: how long a pool's replica took for it, None of a single engine. `logprob` is the sum of the natural-log
    probabilities of all those tokens, no warping; None where the engine does not report them, and of a stream's end.
    """

    text: str
    tokens: int
    finish: Finish
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float | None = field(default=None, compare=False)
    logprob: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a stream adds: `text` ("" while a character or a possible stop text is undecided).

    `tokens` counts all tokens generated up to here, those whose text is still undecided included. `end` is the whole
    generation, on the last piece and only there: its text is that of all pieces together. `prompt_tokens` and
    `cached_tokens` are as in `Generation`, where the engine reports them before the end. Of tokens that came together,
    `parts` has each one's text and the tokens up to it, `part_logprobs` the `logprob` up to it. `seconds`, on the first
    piece of a pool's stream: how long the stream has had its place on a replica by then. `logprob` is the sum of the
    natural-log probabilities of all those tokens, no warping; None where the engine does not report them.
    """

    text: str
    tokens: int
    end: Generation | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    parts: tuple[tuple[str, int], ...] = ()
    seconds: float | None = field(default=None, compare=False)
    logprob: float | None = None
    part_logprobs: tuple[float | None, ...] = ()

    def parted(self) -> Sequence[Piece]:
        """The same as a piece for each of its parts."""
        if len(self.parts) < 2:
            return (self,)
        sums = self.part_logprobs or (None,) * len(self.parts)
        counts = self.prompt_tokens, self.cached_tokens
        last = len(self.parts) - 1
        return [
            Piece(text, tokens, self.end if place == last else None, *counts, logprob=sums[place])
            for place, (text, tokens) in enumerate(self.parts)
        ]


def joined(
    parts: Sequence[tuple[str, int]],
    end: Generation | None = None,
    prompt_tokens: int | None = None,
    cached_tokens: int | None = None,
    logprobs: Sequence[float | None] = (),
) -> Piece:
    """One piece of the texts, at least one, that came together, with the tokens up to each, and `Piece.logprob`."""
    logprob = logprobs[-1] if logprobs else None
    if len(parts) == 1:
        return Piece(*parts[0], end, prompt_tokens, cached_tokens, logprob=logprob)
    text, counts = "".join(text for text, _ in parts), (prompt_tokens, cached_tokens)
    sums = () if logprob is None else tuple(logprobs)
    return Piece(text, parts[-1][1], end, *counts, tuple(parts), logprob=logprob, part_logprobs=sums)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One candidate for a position: its text and natural-log probability under greedy settings (no warping)."""

    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class NextToken:
    """The model's view of the one token that follows a prompt, most probable first. `seconds` as in `Generation`."""

    candidates: tuple[TokenLogprob, ...]
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The model's view of a text that follows a prompt: its tokens' natural-log probabilities, no warping.

    `seconds` as in `Generation`.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says about itself.

    `revision` distinguishes models of one name ("": the engine does not say). `parameters` is the model's size for the
    FLOPs ledger (None: unknown), `max_total_tokens` prompt plus generated, `max_top_n` how many candidates `next_token`
    can give. `kind` is whose server it is ("vllm", "tgi" ...) and `version` that server's ("": it does not say).
    """

    model: str
    parameters: int | None
    max_total_tokens: int
    max_top_n: int
    revision: str = ""
    kind: str = ""
    version: str = ""


class Engine(Protocol):
    """A language model that continues text.

    Every method raises `Overloaded`, `Unavailable` or `TimedOut` when trying again may help; `InvalidRequest` when
    the engine refuses the request (too long, say); `CapabilityMissing` when it cannot do such a thing at all;
    `BadReply` when its answer makes no sense. Cancelling a call closes its HTTP request, which frees the engine's
    batch slot.

    `affinity` names what shares a prefix (a path of a job): a pool sends equal names to the same replica, a single
    engine ignores it. `origin` says on whose behalf.
    """

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
        """Continue `prompt` until a stop text (at most 4), the end of the turn, or `max_tokens`."""
        ...

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
        """As `generate`, piece by piece as the tokens come; the last piece has the whole generation.

        An async generator: read it in `async with aclosing(engine.stream(...)) as pieces`. Closing it, or cancelling
        whoever reads it, closes the HTTP request, which frees the engine's batch slot; so a caller may leave as soon
        as it has read enough, and then owes the tokens of the last piece it read. Pieces never hold half a character,
        or any part of the stop text that ends the generation.

        The errors are those of `generate`. They may come after pieces: a pool tries again elsewhere only before the
        first piece with text; what was read until then stays valid, and the caller may go on from there. A single
        engine's time limit counts from piece to piece, keep-alive comments not counting; a pool's whole timeout_s is
        for the first piece, its wait for a place and all attempts included, and again between pieces.
        """
        ...

    async def next_token(
        self, prompt: str, *, top_n: int, answers: Sequence[str] = (), affinity: str = "", origin: Origin = ANYONE
    ) -> NextToken:
        """The up to `top_n` most probable next tokens; fewer where the engine's limit is lower (`info`).

        With `answers` ("Yes", "No") an engine that can reports the tokens that these are instead, however improbable,
        with the blanks and capital letters that models write them in, and the most probable token.
        """
        ...

    async def likelihood(self, prompt: str, text: str, *, affinity: str = "", origin: Origin = ANYONE) -> Likelihood:
        """How probable the tokens of `text` are after `prompt`; one that begins before `text` and ends in it counts.

        Many engines cannot report (`CapabilityMissing`), and those that can process the whole prompt anew each time.
        """
        ...

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """The dialogue as a prompt that ends where the assistant's next turn begins."""
        ...

    async def count_tokens(self, text: str) -> int:
        """The number of tokens of a rendered prompt or plain text."""
        ...

    async def info(self) -> EngineInfo: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...


@contextmanager
def work_of(batch: bool, cache_salt: str = "") -> Iterator[None]:
    """The block's engine calls are batch work, which waits behind the rest, or not; with this `Origin.cache_salt`."""
    token = ORIGIN.set(Origin(priority=BATCH_PRIORITY if batch else 0, cache_salt=cache_salt))
    try:
        yield
    finally:
        ORIGIN.reset(token)
