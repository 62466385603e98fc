"""A conversation as the one problem that SSR solves: strategies, drafts and judges see all of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ssr.gateway.errors import refused, unsupported

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
#: What of a message may be there and changes nothing: names, and fields of earlier replies that come back with them.
_HARMLESS = frozenset({"name", "refusal", "annotations", "reasoning_content", "reasoning", "provider_specific_fields"})
#: What is refused unless it is empty.
_REFUSED = frozenset({"tool_calls", "function_call", "audio", "tool_call_id", "images"})
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class PlainRule:
    """Which conversations ask for no solution: by how the last message begins, or what it is."""

    prefixes: tuple[str, ...]
    small_talk: re.Pattern[str] | None

    def applies(self, turns: Sequence[Turn]) -> bool:
        last = turns[-1].text.strip()
        return last.startswith(self.prefixes) or bool(self.small_talk and self.small_talk.fullmatch(last))


def read_messages(messages: object, param: str = "messages") -> tuple[Turn, ...]:
    """The turns of a chat completion's messages. Raises: ApiError naming what is wrong or not supported."""
    if not isinstance(messages, list) or not messages:
        raise refused(param, "must be a list of at least one message")
    turns = tuple(_turn(message, f"{param}[{number}]") for number, message in enumerate(messages))
    if turns[-1].role != "user":
        raise refused(f"{param}[{len(turns) - 1}].role", "the last message must be a user's")
    if not turns[-1].text.strip():
        raise refused(f"{param}[{len(turns) - 1}].content", "is empty; send the problem's text")
    return turns


def _turn(message: object, param: str) -> Turn:
    if not isinstance(message, dict):
        raise refused(param, "must be an object")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(_ROLES)
        raise refused(f"{param}.role", f"{role!r} is not supported; known are {known}", "unsupported_value")
    for key, value in message.items():
        if key in _REFUSED and value:
            raise unsupported(f"{param}.{key}")
        if key not in _HARMLESS and key not in _REFUSED and key not in ("role", "content", "type", "id", "status"):
            raise refused(f"{param}.{key}", "is unknown", "unknown_parameter")
    return Turn(_ROLES[role], _text(message.get("content"), f"{param}.content", role))


def _text(content: object, param: str, role: str) -> str:
    if isinstance(content, str):
        return content
    if content is None and role == "assistant":
        return ""
    if not isinstance(content, list) or not content:
        raise refused(param, "must be a text, or a list of text parts")
    return "\n".join(_part(part, f"{param}[{number}]") for number, part in enumerate(content))


def _part(part: object, param: str) -> str:
    if not isinstance(part, dict):
        raise refused(param, "must be an object")
    kind = part.get("type")
    if kind not in _TEXT_PARTS:
        raise refused(f"{param}.type", f"{kind!r} is not supported; only text is", "unsupported_value")
    if not isinstance(text := part.get("text"), str):
        raise refused(f"{param}.text", "must be a text")
    return text


def problem_of(turns: Sequence[Turn]) -> str:
    """One question alone is the problem itself; otherwise all that was said is, the last question at its end."""
    *before, last = (turn for turn in turns if turn.text.strip())
    if not before:
        return last.text
    parts = [turn.text.strip() for turn in before if turn.role == "system"]
    said = [f"{turn.role.capitalize()}: {turn.text.strip()}" for turn in before if turn.role != "system"]
    if said:
        parts += ["The conversation so far:", *said, "Now answer this:"]
    return "\n\n".join((*parts, last.text.strip()))
