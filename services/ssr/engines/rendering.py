"""Prompts from dialogues without asking the engine each time.

A chat template puts the turns' contents between its own marks. Rendering placeholders once tells those marks; every
later dialogue of the same shape is put together here, which saves an HTTP call a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ssr.engines.base import ChatMessage, Engine

#: What a template renders around the contents: one text more than there are turns; None: it rewrites contents.
_Frame = tuple[str, ...] | None


class PromptRenderer:
    """Renders dialogues in the chat template of one engine's model."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._frames: dict[tuple[str, ...], _Frame] = {}

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """The dialogue as a prompt that ends where the assistant's turn begins.

        Contents must have no white space at their ends, which many templates strip.
        Raises: the engine's errors.
        """
        shape = tuple(message.role for message in messages)
        if shape not in self._frames:
            self._frames[shape] = await self._learn(messages)
        frame = self._frames[shape]
        if frame is None:
            return await self._engine.render(messages)
        contents = [message.content for message in messages]
        return "".join(chain.from_iterable(zip(frame, (*contents, ""), strict=True)))

    async def _learn(self, messages: Sequence[ChatMessage]) -> _Frame:
        marks = [f"[[turn {i}]]" for i in range(len(messages))]
        rest = await self._engine.render([ChatMessage(m.role, mark) for m, mark in zip(messages, marks, strict=True)])
        frame = []
        for mark in marks:
            if rest.count(mark) != 1:
                return None
            before, rest = rest.split(mark)
            frame.append(before)
        return (*frame, rest)
