"""Thinking models: what of an assistant's turn is thinking, and what is said for good.

A turn that thinks begins with `<think>`, in a path's text always, also where the chat template and not the model wrote
the tag; behind `</think>` comes the answer. What stands inside is tentative: a box there is no answer. Some models
begin to think later, or again, at the beginning of a line. Pure.
"""

from __future__ import annotations

import re

OPEN, CLOSE = "<think>", "</think>"
_OPENED = re.compile(rf"^[ \t]*+{OPEN}", re.MULTILINE)


def opens(turn: str) -> bool:
    """Whether the turn begins with thinking."""
    return turn.lstrip().startswith(OPEN)


def is_thinking(turn: str) -> bool:
    """Whether the turn is in the middle of its thinking."""
    if OPEN not in turn:
        return False
    closed = turn.rfind(CLOSE)
    return _OPENED.search(turn, closed + 1) is not None


def without_begun_close(text: str) -> str:
    """The text without the beginning of the closing tag that it may end in: a limit can fall into the tag."""
    begun = next((n for n in range(len(CLOSE) - 1, 1, -1) if text.endswith(CLOSE[:n])), 0)
    return text[: len(text) - begun]


def said(text: str, *, thinking: bool) -> str:
    """What of `text` is no thinking, given whether the turn is `thinking` where the text begins."""
    _, closed, behind = text.partition(CLOSE)
    if closed:
        return outside(behind)
    return "" if thinking else outside(text)


def outside(text: str) -> str:
    """What of `text`, which begins outside of thinking, is no thinking that begins in it; tags that end none stay."""
    if OPEN not in text:
        return text
    kept = list[str]()
    while opened := _OPENED.search(text):
        kept.append(text[: opened.start()])
        text = text[opened.end() :].partition(CLOSE)[2]
    return "".join((*kept, text))


def without_tags(turn: str) -> str:
    """The turn as a model writes it that does not think: thinking and answer are steps alike."""
    rest = turn.lstrip().removeprefix(OPEN).lstrip("\n") if opens(turn) else turn
    before, closed, behind = rest.partition(CLOSE)
    if not closed:
        return rest
    before, behind = before.rstrip(), behind.lstrip()
    return f"{before}\n\n{behind}" if before else behind


def without_empty_thinking(text: str) -> str:
    """The beginning of a turn, without thinking in which nothing was thought."""
    if not opens(text):
        return text
    thought, closed, behind = text.lstrip().removeprefix(OPEN).partition(CLOSE)
    return type(text)(behind.lstrip()) if closed and not thought.strip() else text
