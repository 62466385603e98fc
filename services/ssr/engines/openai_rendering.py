"""Dialogues as prompts, and the tokens of texts, as the servers behind OpenAI's API give them; none is OpenAI's.

| | vLLM | SGLang | llama-server |
|---|---|---|---|
| a dialogue's text | /tokenize with messages, then /detokenize | same | /apply-template |
| a text's tokens | /tokenize with prompt | same | /tokenize with content |

No hub is ever asked for a model's template: its name is the engine's word only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest, NotFound, Permanent, Unavailable
from ssr.engines import plausible
from ssr.engines.base import ChatMessage
from ssr.engines.json_connection import JsonConnection, Reply
from ssr.engines.openai_requests import ServerKind

#: How servers refuse dialogues that cannot tokenise any, as SGLang of older versions.
_WANTS_PROMPT = re.compile(r"prompt\b.*(field|input).*required|missing.*prompt", re.IGNORECASE | re.DOTALL)

#: How servers speak of a template that refuses a dialogue: in its own words, mostly.
_ABOUT_TEMPLATE = re.compile(r"jinja|template|\broles?\b|\balternate|raise_exception", re.IGNORECASE)


class ServerTokenizer:
    """The tokenizer and the chat template of the server that `connection` leads to, which serves `model`."""

    def __init__(self, connection: JsonConnection, kind: ServerKind, model: str) -> None:
        self._connection, self._kind, self._model = connection, kind, model
        self._templates: ServerKind | None = kind if kind is not ServerKind.OPENAI else None

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`; the first way that works is remembered. Raises `CapabilityMissing` without one."""
        if self._templates is ServerKind.LLAMACPP:
            return await self._applied(messages)
        if self._templates is not None:
            try:
                return await self._detokenized(messages)
            except InvalidRequest as refusal:
                if not _WANTS_PROMPT.search(str(refusal)):
                    raise
                raise _no_renderer(self._connection.base_url, [CapabilityMissing(str(refusal))]) from refusal
        failures: list[Permanent] = []
        for kind, render in ((ServerKind.LLAMACPP, self._applied), (ServerKind.VLLM, self._detokenized)):
            try:
                text = await render(messages)
            except (NotFound, CapabilityMissing, BadReply, InvalidRequest) as error:
                failures.append(error)
                continue
            self._templates = kind
            return text
        raise _no_renderer(self._connection.base_url, failures)

    async def _applied(self, messages: Sequence[ChatMessage]) -> str:
        """llama-server's way; it leaves out the token that its completions add."""
        reply = await self._templated("/apply-template", {"messages": _dialogue(messages)})
        match reply.document():
            case {"prompt": str(text)}:
                return plausible.prompt(reply.url, text)
            case _:
                raise BadReply(f"{reply.url} answered without a prompt")

    async def _detokenized(self, messages: Sequence[ChatMessage]) -> str:
        """vLLM's and SGLang's way: they give the tokens of a rendered dialogue, and the text of tokens."""
        asked = {"model": self._model, "messages": _dialogue(messages), "add_generation_prompt": True}
        text = await self._text(_tokens_in(await self._templated("/tokenize", asked)))
        tokens = await self._tokens({"model": self._model, "prompt": text})
        if len(tokens) > 1 and tokens[0] == tokens[1]:  # completions would begin with two of them
            return text.removeprefix(await self._text(tokens[:1]))
        return text

    async def count(self, text: str) -> int:
        """The number of `text`'s tokens, with those that the server adds itself."""
        asked: dict[str, object] = {}
        if self._kind is not ServerKind.LLAMACPP:
            asked |= {"model": self._model, "prompt": text}
        if self._kind in (ServerKind.LLAMACPP, ServerKind.OPENAI):
            asked |= {"content": text, "add_special": True, "parse_special": True}
        try:
            return len(await self._tokens(asked, empty=not text))
        except NotFound as error:
            raise CapabilityMissing(f"{self._connection.base_url} has no /tokenize to count tokens with") from error

    async def plain_tokens(self, text: str) -> list[int]:
        """`text`'s tokens alone, as vLLM and SGLang number them. Raises: BadReply; the connection's errors."""
        asked = {"model": self._model, "prompt": text, "add_special_tokens": False}
        return await self._tokens(asked, empty=not text)

    async def _tokens(self, asked: Mapping[str, object], *, empty: bool = False) -> list[int]:
        return _tokens_in(await self._connection.post("/tokenize", asked), empty=empty)

    async def _templated(self, path: str, asked: Mapping[str, object]) -> Reply:
        """The reply to a dialogue. llama-server and SGLang fail (500) where the model's template refuses one."""
        try:
            return await self._connection.post(path, asked)
        except Unavailable as failure:
            if not _ABOUT_TEMPLATE.search(str(failure).partition(" answered ")[2]):
                raise
            raise InvalidRequest("messages", str(failure)) from failure

    async def _text(self, tokens: list[int]) -> str:
        """Special tokens included, which SGLang leaves out unless asked."""
        asked = {"model": self._model, "tokens": tokens, "skip_special_tokens": False}
        reply = await self._connection.post("/detokenize", asked)
        match reply.document():
            case {"prompt": str(text)} | {"text": str(text)}:
                return plausible.prompt(reply.url, text)
            case _:
                raise BadReply(f"{reply.url} answered without a text")


def _tokens_in(reply: Reply, *, empty: bool = False) -> list[int]:
    match reply.document():
        case {"tokens": [*tokens]} if (tokens or empty) and all(type(token) is int for token in tokens):
            return tokens
        case _:
            raise BadReply(f"{reply.url} answered without tokens")


def _dialogue(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _no_renderer(url: str, failures: Sequence[Permanent]) -> Permanent:
    """The dialogue's own fault if a template refused it, otherwise the lack of any template."""
    for failure in failures:
        if isinstance(failure, InvalidRequest):
            return failure
    return CapabilityMissing(
        f"{url} cannot render dialogues: set chat_template to the model's tokenizer_config.json or chat_template.jinja "
        f"({'; '.join(map(str, failures))})"
    )
