"""The body of POST /v1/responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ssr.gateway import fields
from ssr.gateway.asking import CommonRequest
from ssr.gateway.conversation import Turn, read_messages
from ssr.gateway.errors import refused, unsupported
from ssr.gateway.models import Models

_MAX_UINT32 = 2**32 - 1
_KNOWN = frozenset(
    {
        "background",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "reasoning",
        "safety_identifier",
        "ssr",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "top_p",
        "user",
    }
)
#: What is not supported, and the values that ask for nothing.
_NEUTRAL: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "conversation": (),
        "include": ([],),
        "max_tool_calls": (),
        "parallel_tool_calls": (True, False),
        "previous_response_id": (),
        "prompt": (),
        "prompt_cache_key": (),
        "service_tier": ("auto", "default"),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "truncation": ("disabled",),
    }
)
_TEXT: Mapping[str, tuple[object, ...]] = MappingProxyType({"format": ({"type": "text"},), "verbosity": ("medium",)})
_SUMMARIES = ("auto", "concise", "detailed")
#: Metadata becomes labels under this prefix, which leaves so much of a label's key.
METADATA = "metadata."
_METADATA_KEY = re.compile(r"[A-Za-z0-9._/-]{1,54}")
_MAX_METADATA, _MAX_METADATA_VALUE = 8, 256


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """`stored`: the response can be asked for by its id; `background`: it goes on without its caller."""

    asked: CommonRequest
    stream: bool
    background: bool
    stored: bool
    metadata: Mapping[str, str]


def read_response(body: Mapping[str, Any], models: Models) -> ResponseRequest:
    """Raises: ApiError with what is wrong or not supported."""
    fields.check_known(body, _KNOWN, _NEUTRAL)
    model = models.asked_in(body)
    _check_text(body.get("text"))
    _check_stream_options(body.get("stream_options"))
    stored, background = fields.truth(body, "store") is not False, fields.truth(body, "background") or False
    if background and not stored:
        raise refused("background", "needs store, since its response is asked for by its id")
    options = {
        "max_tokens": fields.integer(body, "max_output_tokens", 1, _MAX_UINT32),
        "temperature": fields.number(body, "temperature"),
        "top_p": fields.number(body, "top_p"),
    }
    asked = CommonRequest(
        model,
        _turns(body),
        _effort(body.get("reasoning")),
        {option: value for option, value in options.items() if value is not None},
        {"problem": "input", "max_tokens": "max_output_tokens", "effort": "reasoning.effort"},
        body.get("ssr"),
        fields.text(body, "user") or fields.text(body, "safety_identifier"),
    )
    return ResponseRequest(asked, fields.truth(body, "stream") or False, background, stored, metadata_of(body))


def _turns(body: Mapping[str, Any]) -> tuple[Turn, ...]:
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if isinstance(given, list):
        # Reasoning of earlier replies comes back with them, and is no part of what was said.
        given = [item for item in given if not (isinstance(item, dict) and item.get("type") == "reasoning")]
        for number, item in enumerate(given):
            if isinstance(item, dict) and (kind := item.get("type", "message")) != "message":
                raise refused(
                    f"input[{number}].type", f"{kind!r} is not supported; only message is", "unsupported_value"
                )
    instructions = fields.text(body, "instructions")
    before = (Turn("system", instructions),) if instructions else ()
    return (*before, *read_messages(given, "input"))


def _effort(given: object) -> str | None:
    """Every summary is the reasoning itself."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise refused("reasoning", "must be an object")
    for name, value in given.items():
        if name not in ("effort", "summary", "generate_summary"):
            raise refused(f"reasoning.{name}", "is unknown", "unknown_parameter")
        if name != "effort" and value is not None and value not in _SUMMARIES:
            raise refused(f"reasoning.{name}", f"must be one of {', '.join(_SUMMARIES)}", "unsupported_value")
    effort = given.get("effort")
    if effort is not None and not isinstance(effort, str):
        raise refused("reasoning.effort", "must be a text")
    return effort


def _check_text(given: object) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        raise refused("text", "must be an object")
    for name, value in given.items():
        if value is not None and value not in _TEXT.get(name, ()):
            raise unsupported(f"text.{name}")


def _check_stream_options(given: object) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        raise refused("stream_options", "must be an object")
    for name, value in given.items():
        if name != "include_obfuscation" or value:
            raise unsupported(f"stream_options.{name}")


def metadata_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Raises: ApiError."""
    given = body.get("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MAX_METADATA:
        raise refused("metadata", f"must be an object of at most {_MAX_METADATA} entries")
    for key, value in given.items():
        if not _METADATA_KEY.fullmatch(key):
            raise refused("metadata", "keys are 1 to 54 of the characters A-Z a-z 0-9 . _ / -")
        if not isinstance(value, str) or len(value) > _MAX_METADATA_VALUE:
            raise refused("metadata", f"values are texts of at most {_MAX_METADATA_VALUE} characters")
    return dict(given)
