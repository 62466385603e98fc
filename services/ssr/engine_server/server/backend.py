"""What stands behind the TGI-shaped HTTP face: one model that turns a prompt into tokens.

The server does what TGI's router does (validation, limits, headers, errors); a `Backend` does what TGI's model server
does: tokens, one by one, until the generation ends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from ssr.engines.base import ChatMessage


class FinishReason(StrEnum):
    """Why a generation ended, in TGI's words."""

    LENGTH = "length"  #: `max_new_tokens` were generated
    EOS_TOKEN = "eos_token"  #: the model ended its turn
    STOP_SEQUENCE = "stop_sequence"  #: the text so far ends with a stop text


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One generation, already validated by the server: every field is inside TGI's and the backend's limits.

    `inputs` is the prompt after truncation, to be tokenised with special tokens recognised and added. `greedy` says
    whether to take the most probable token; the warping fields are meant for sampling and are None where the caller
    gave none (no warping: TGI has no defaults of its own). `repetition_penalty` and `frequency_penalty` apply to
    greedy decoding as well. `seed` is always set when sampling: the server draws one if the caller did not.
    """

    inputs: str
    max_new_tokens: int
    input_length: int  #: tokens of `inputs`, special tokens included
    do_sample: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    top_n_tokens: int = 0
    prefill: bool = False  #: report the prompt's tokens with their log probabilities

    @property
    def greedy(self) -> bool:
        """TGI samples as soon as `do_sample` or any warper is asked for."""
        warpers = (self.top_k, self.top_p, self.typical_p)
        return not self.do_sample and self.temperature in (None, 1.0) and all(w is None for w in warpers)


class Token(NamedTuple):
    """A token of the vocabulary; a tuple, because it is made for every token of every request.

    `text` may be empty while a character is split over tokens; `logprob` is natural. `special` tokens (end of turn,
    say) have a text but are left out of the generated text.
    """

    id: int
    text: str
    logprob: float
    special: bool = False


@dataclass(frozen=True, slots=True)
class GenerationEnd:
    """How a generation ended, and what its prompt cost.

    `cached_tokens` of the `prompt_tokens` were served from the prefix cache (None: the backend does not know).
    `queue_s` is how many seconds the request waited for a place in the batch. `prefill` are the prompt's tokens, of a
    request that wants them; nothing is known of the first one's probability.
    """

    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int | None = None
    queue_s: float = 0.0
    prefill: tuple[Token, ...] = ()


class TokenEvent(NamedTuple):
    """One generated token; `end` is set on the last one, and only there.

    `top_tokens` are the `top_n_tokens` most probable candidates of this position, most probable first. The token that
    ends the model's turn is an event too, with `special` set. The first token's event has the `prompt`'s tokens and
    those of them that were cached, where the backend knows them by then.
    """

    token: Token
    top_tokens: tuple[Token, ...] = ()
    end: GenerationEnd | None = None
    prompt: tuple[int, int | None] | None = None


@dataclass(frozen=True, slots=True)
class TokenPiece:
    """A token of a given text: `start` and `stop` are offsets in characters of that text."""

    id: int
    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """The model and the limits that the server enforces for it.

    `parameters` is the model's size (None: unknown). `max_total_tokens` is prompt plus generated, a request.
    """

    model_id: str
    parameters: int | None = None
    max_input_tokens: int = 4095
    max_total_tokens: int = 4096
    max_concurrent_requests: int = 128
    max_top_n_tokens: int = 20
    max_stop_sequences: int = 4
    prefill_logprobs: bool = False  #: whether it can report the log probabilities of a prompt's tokens
    max_batch_size: int | None = None  #: requests decoded together (None: no bound of its own)
    dtype: str = ""  #: weights' number format, for /info
    version: str = ""  #: of the backend, for /info


@dataclass(frozen=True, slots=True)
class BackendMetrics:
    """What the backend is busy with at this moment."""

    queued: int = 0  #: requests accepted, no token computed yet for want of a batch slot
    running: int = 0  #: requests in the current batch


class Backend(Protocol):
    """One model. Enter it before use; leaving it stops it and frees what it holds.

    Every method may raise a core error; the server answers, for what `generate` raises (inside the stream, once that
    has begun): `InvalidRequest` and `CapabilityMissing` 422 validation, `Overloaded` 429 overloaded, `Unavailable` and
    `TimedOut` 503 healthcheck, anything else 424 generation. A generator that ends without an `end` is a 500
    incomplete_generation.
    """

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        """The tokens that follow the prompt, as they come: at least one at a time (an async generator function).

        The server closes the generator (`aclose`) or cancels its `__anext__` when the client goes away: work on the
        request must end at once. Stop texts are the backend's business: see `stopping.StopCriteria`.
        """
        ...

    async def render(self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True) -> str:
        """The dialogue in the model's chat template, as text."""
        ...

    async def tokenize(self, text: str, *, add_special: bool = True) -> Sequence[TokenPiece]:
        """The tokens of `text`; with `add_special` as a prompt has them (a beginning-of-text token where used)."""
        ...

    def info(self) -> BackendInfo:
        """Constant while the backend is entered."""
        ...

    async def healthy(self) -> bool:
        """Whether a request would be served now. Never raises."""
        ...

    def metrics(self) -> BackendMetrics: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...
