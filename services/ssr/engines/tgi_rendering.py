"""Dialogues as prompts, and the tokens of texts, as TGI reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssr.core.errors import BadReply, CapabilityMissing, InvalidRequest
from ssr.engines import plausible
from ssr.engines.base import ChatMessage
from ssr.engines.json_connection import JsonConnection
from ssr.engines.tgi_requests import without_images

#: Characters; "<｜begin▁of▁sentence｜>" has 21.
_LONGEST_BOS = 64
_NO_TEMPLATE = (
    "{} finds no chat template for its model: TGI reads tokenizer_config.json and chat_template.json, never "
    "chat_template.jinja; set chat_template to the model's folder or its chat_template.jinja"
)


class TgiTokenizer:
    """The tokenizer and the chat template of the engine that `connection` leads to."""

    def __init__(self, connection: JsonConnection) -> None:
        self._connection = connection
        self._doubled_bos: str | None = None

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """See `Engine.render`. Raises `CapabilityMissing` when the engine has no template."""
        body = {"messages": [{"role": m.role, "content": m.content} for m in messages]}
        try:
            reply = await self._connection.post("/chat_tokenize", body)
        except InvalidRequest as refusal:
            if "template not found" in str(refusal):
                raise CapabilityMissing(_NO_TEMPLATE.format(self._connection.base_url)) from refusal
            raise
        match reply.document():
            case {"templated_text": str(text)}:
                return text.removeprefix(await self._bos_to_strip(plausible.prompt(reply.url, text)))
            case _:
                raise BadReply(f"{self._connection.base_url}/chat_tokenize answered without templated_text")

    async def _bos_to_strip(self, rendered: str) -> str:
        """The text of the token that /generate would double at the beginning of `rendered`; "" if it doubles none."""
        if self._doubled_bos is None:
            tokens = await self._tokens(rendered)
            doubled = len(tokens) > 1 and tokens[0]["id"] == tokens[1]["id"]
            # The first one, which the tokenizer added, spans nothing of the text.
            self._doubled_bos = (str(tokens[1]["text"]) or await self._first_text(rendered, tokens)) if doubled else ""
        return self._doubled_bos

    async def _first_text(self, rendered: str, tokens: Sequence[Mapping[str, Any]]) -> str:
        """The text of the token that `rendered` begins with, where TGI reports no texts.

        It does not when it tokenises in Python, because it could not write to its working folder. The text is then
        that beginning of `rendered` without which the other tokens are left.
        """
        rest = [token["id"] for token in tokens[1:]]
        likely = [end for end in range(1, min(len(rendered), _LONGEST_BOS) + 1) if rendered[end - 1] in ">]"]
        for end in likely:
            if [token["id"] for token in await self._tokens(rendered[end:])] == rest:
                return rendered[:end]
        raise CapabilityMissing(
            f"{self._connection.base_url} reports no texts of tokens, and the beginning-of-sequence token of its chat "
            "template cannot be distinguished from the text: let TGI write to its working folder, or set chat_template"
        )

    async def count(self, text: str) -> int:
        """The number of `text`'s tokens, with those that the engine adds itself."""
        return len(await self._tokens(text))

    async def _tokens(self, text: str) -> list[dict[str, Any]]:
        reply = (await self._connection.post("/tokenize", {"inputs": without_images(text)})).document()
        if not isinstance(reply, list) or not all(isinstance(t, dict) and {"id", "text"} <= t.keys() for t in reply):
            raise BadReply(f"{self._connection.base_url}/tokenize answered something that is not a list of tokens")
        return reply
