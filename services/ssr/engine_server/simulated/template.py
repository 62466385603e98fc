"""The simulated model's chat template, and the way back from a prompt to its dialogue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ssr.core.prompts import ChatMessage
from ssr.core.thinking import OPEN, said
from ssr.engine_server.simulated.settings import Thinking
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


def render(
    messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True, thinking: Thinking = Thinking.NO
) -> str:
    """The dialogue as text; a thinking model's has nothing of what was thought in earlier turns.

    With `add_generation_prompt` it ends inside an assistant's turn: a last message of the assistant is left open to be
    continued, otherwise a new turn is opened.
    """
    contents = [message.content if thinking is Thinking.NO else _unthought(message) for message in messages]
    text = "".join(f"<|{one.role}|>{content}{END}" for one, content in zip(messages, contents, strict=True))
    if not add_generation_prompt:
        return text
    if messages and messages[-1].role == "assistant":
        return text.removesuffix(END)
    return f"{text}<|assistant|>{OPEN}\n" if thinking is Thinking.OPENED else f"{text}<|assistant|>"


def _unthought(message: ChatMessage) -> str:
    return said(message.content, thinking=False).lstrip("\n") if message.role == "assistant" else message.content


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
