"""The bodies of TGI's requests: names, types and defaults, before any limit of the model is looked at.

As TGI's parser does, types are strict (no "0.5" for 0.5, no null for a flag) and unknown fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import from_json

from ssr.engine_server.server.errors import malformed, mistyped

U32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
U64 = Annotated[int, Field(ge=0, le=2**64 - 1)]
I32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Parameters(_Body):
    """Sampling, limits and what the reply should hold; None is "not given"."""

    best_of: U64 | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: I32 | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: U32 | None = None
    return_full_text: bool | None = None
    stop: list[str] = []
    truncate: U64 | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: U64 | None = None
    top_n_tokens: U32 | None = None
    grammar: JsonValue = None
    adapter_id: str | None = None


def _absent_parameters() -> Parameters:
    # TGI samples when `parameters` is left out, although do_sample is off when it is there without do_sample.
    return Parameters(do_sample=True)


class GenerateBody(_Body):
    """POST /generate and /generate_stream."""

    inputs: str
    parameters: Parameters = Field(default_factory=_absent_parameters)


class CompatBody(GenerateBody):
    """POST /: the same, and `stream` chooses between the two."""

    stream: bool = False


class TextChunk(_Body):
    type: Literal["text"]
    text: str


class Message(_Body):
    """One turn of a dialogue; pictures are not supported."""

    role: Literal["system", "user", "assistant"]
    content: str | list[TextChunk]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(chunk.text for chunk in self.content)


class ChatBody(_Body):
    """POST /chat_tokenize: only what decides the prompt is read."""

    messages: list[Message]
    tools: list[dict[str, Any]] | None = None


class StreamOptions(_Body):
    include_usage: bool = False


class CompletionBody(ChatBody):
    """POST /v1/chat/completions, as TGI takes it; null is "not given"."""

    max_tokens: U32 | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: U64 | None = None
    stop: list[str] | None = None
    frequency_penalty: float | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: U32 | None = None
    n: U32 | None = None
    response_format: JsonValue = None

    def parameters(self) -> Parameters:
        """A temperature of 0 is greedy; everything else samples, also when there is none."""
        greedy = self.temperature == 0
        return Parameters(
            do_sample=not greedy,
            temperature=None if greedy else self.temperature,
            top_p=self.top_p if self.top_p is not None and self.top_p < 1 else None,
            seed=self.seed,
            stop=self.stop or [],
            frequency_penalty=self.frequency_penalty,
            max_new_tokens=self.max_tokens,
            top_n_tokens=self.top_logprobs if self.logprobs else None,
            details=True,
        )


B = TypeVar("B", bound=_Body)


def parse(kind: type[B], body: bytes) -> B:
    """The body as a `kind`. Raises a 400 refusal when it is no JSON, a 422 when it is not a `kind`."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(str(error)) from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise mistyped(f"{where}: {first['msg']}" if where else first["msg"]) from error
