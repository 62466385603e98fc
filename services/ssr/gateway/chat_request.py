"""The body of POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ssr.core.limits import MAX_PATHS
from ssr.gateway import fields
from ssr.gateway.asking import CommonRequest
from ssr.gateway.conversation import read_messages
from ssr.gateway.errors import refused
from ssr.gateway.models import Models

_MAX_UINT32 = 2**32 - 1
_KNOWN = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "reasoning_effort",
        "safety_identifier",
        "seed",
        "ssr",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "user",
    }
)
#: What is not supported, and the values that ask for nothing.
_NEUTRAL: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "audio": (),
        "frequency_penalty": (0,),
        "function_call": ("none",),
        "functions": ([],),
        "logit_bias": ({},),
        "logprobs": (False,),
        "metadata": ({},),
        "modalities": (["text"],),
        "parallel_tool_calls": (True, False),
        "prediction": (),
        "presence_penalty": (0,),
        "response_format": ({"type": "text"},),
        "service_tier": ("auto", "default"),
        "store": (False,),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "verbosity": ("medium",),
        "web_search_options": (),
    }
)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`include_usage`: the stream ends with a chunk of usage."""

    asked: CommonRequest
    stream: bool
    include_usage: bool


def read_chat(body: Mapping[str, Any], models: Models) -> ChatRequest:
    """Raises: ApiError with what is wrong or not supported."""
    fields.check_known(body, _KNOWN, _NEUTRAL)
    model = models.asked_in(body)
    turns = read_messages(body.get("messages"))
    limit = _limit(body)
    options = {
        "max_tokens": limit[1] if limit else None,
        "seed": fields.integer(body, "seed", 0),
        "temperature": fields.number(body, "temperature"),
        "top_p": fields.number(body, "top_p"),
    }
    options = {option: value for option, value in options.items() if value is not None}
    params = {option: option for option in options} | ({"max_tokens": limit[0]} if limit else {})
    stream = fields.truth(body, "stream") or False
    return ChatRequest(
        CommonRequest(
            model,
            turns,
            fields.text(body, "reasoning_effort"),
            options,
            params,
            body.get("ssr"),
            fields.text(body, "user") or fields.text(body, "safety_identifier"),
            fields.integer(body, "n", 1, MAX_PATHS) or 1,
            fields.stops(body),
        ),
        stream,
        _includes_usage(body, stream),
    )


def _limit(body: Mapping[str, Any]) -> tuple[str, int] | None:
    """Which of its two names the limit of tokens has, and what it is."""
    given = [
        (name, value)
        for name in ("max_completion_tokens", "max_tokens")
        if (value := fields.integer(body, name, 1, _MAX_UINT32)) is not None
    ]
    if len({value for _, value in given}) > 1:
        raise refused("max_tokens", "differs from max_completion_tokens; send one of them")
    return given[0] if given else None


def _includes_usage(body: Mapping[str, Any], stream: bool) -> bool:
    given = body.get("stream_options")
    if given is None:
        return False
    if not isinstance(given, dict):
        raise refused("stream_options", "must be an object")
    if not stream:
        raise refused("stream_options", "is for streams alone (stream: true)")
    for name in given:
        if name not in ("include_usage", "include_obfuscation"):
            raise refused(f"stream_options.{name}", "is unknown", "unknown_parameter")
    if fields.truth(given, "include_obfuscation"):
        raise refused("stream_options.include_obfuscation", "is not supported", "unsupported_parameter")
    return fields.truth(given, "include_usage") or False
