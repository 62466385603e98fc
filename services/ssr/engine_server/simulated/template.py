"""The simulated model's chat template, and the way back from a prompt to its dialogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.prompts import ChatMessage
from ssr.engine_server.simulated.tokenizer import END

_TURN = re.compile(r"<\|(system|user|assistant)\|>")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What the model looks at: the last user's turn, and how far its own answer has come.

    `midway`: the prompt ends inside a line, so that what follows needs a blank first.
    """

    user: str
    written: str
    midway: bool


def render(messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True) -> str:
    """The dialogue as text. With `add_generation_prompt` it ends inside an assistant's turn: a last message of the
    assistant is left open to be continued, otherwise a new turn is opened."""
    text = "".join(f"<|{message.role}|>{message.content}{END}" for message in messages)
    if not add_generation_prompt:
        return text
    if messages and messages[-1].role == "assistant":
        return text.removesuffix(END)
    return f"{text}<|assistant|>"


def parse(prompt: str) -> Dialogue:
    """The dialogue of any prompt; a text without our markers is taken for a user's turn."""
    parts = _TURN.split(prompt)
    user, written = ("", "") if len(parts) > 1 else (prompt, "")
    for role, text in zip(parts[1::2], parts[2::2], strict=True):
        if role == "user":
            user, written = text.removesuffix(END), ""
        elif role == "assistant":
            written = text.removesuffix(END)
    tail = prompt[-1:]
    midway = bool(tail) and not tail.isspace() and not prompt.endswith("|>")
    return Dialogue(user, written, midway)
