"""Prompts from dialogues, without asking the engine each time.

A chat template puts the turns' contents between its own marks. Rendering placeholders once shows those marks; every
later dialogue of the same shape is put together here, which saves an HTTP call a step. It is also where nothing that
somebody wrote becomes a mark: every content passes `core.control_tokens`, on its way into the frame or to the engine.

What is handled of the templates' differences: no system role (its text goes to the head of the first user's turn, also
where the template drops it, puts it into the last user's turn or writes it bare before any turn); a system text, a date
or an identity that the template adds by itself (part of the frame); thinking that the template opens or closes by
itself; no beginning of the model's turn, which some templates write only before what a model has said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ssr.core.control_tokens import marks_in, neutralised
from ssr.core.errors import CapabilityMissing, Permanent
from ssr.core.prompts import Question, continued, fold_system, is_closed, is_opened
from ssr.core.thinking import CLOSE, OPEN, opens
from ssr.engines.base import ChatMessage, Engine

#: How long what a template does is believed, in seconds: another model may stand behind the URL by then.
FRESH_S = 60.0
#: Dialogues whose prompts are kept: those of a job's paths are asked for again with every stream and every step.
_KEPT = 1024
#: Nothing, or a beginning-of-sequence token: no turn's mark.
_BARE = re.compile(r"(?:<s>|<bos>|<[|｜](?:begin|start)[^<>|｜]*(?:sentence|text)[|｜]>)?\s*")
_THOUGHT, _SAID = "[[thought]]", "[[said]]"
#: The end of a user's turn, behind which the model's begins.
_TURN_ENDS = re.compile(r"<[|｜]?/?[^<>\s]*(?:end|eot)[^<>\s]*>|</s>|\[e~\[|\[\|endofturn\|\]|\s")
#: How a dialogue ends where the model's turn has channels: what it thinks, says and calls, each behind a header.
_CHANNELS = re.compile(r"<\|start\|>assistant(?:<\|channel\|>\w*(?:<\|message\|>)?)?\s*")


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a template renders for dialogues of one shape.

    `pieces` stand around the contents, one more than there are turns; None where it rewrites contents, and the engine
    must be asked each time. `folded`: the system's text is in the first user's turn.
    """

    pieces: tuple[str, ...] | None
    folded: bool
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnPrompt:
    """A path's prompt for one model; see `core.prompts.continued` for what its fields mean.

    `begun`: what the template itself has written of the turn, "" but where it opens the turn's thinking.
    """

    opening: str
    turn: str
    thinks: bool
    think: bool
    marks: tuple[str, ...]
    begun: str

    def text(self, more: str = "") -> str:
        """The prompt, with `more` of the turn that has come since."""
        begun = "" if self.turn or not more or opens(more) else self.begun
        turn = f"{self.turn}{begun}{more}"
        thinks = self.thinks or (not self.turn and opens(more))
        return continued(self.opening, turn, thinks=thinks, think=self.think, marks=self.marks)


class PromptRenderer:
    """Renders dialogues in the chat template of one engine's model. `now` counts seconds."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._now = engine, now
        self._model = ("", "")
        self._learnt_at = now()
        self._frames: dict[tuple[str, ...], _Frame] = {}
        self._openings: dict[tuple[ChatMessage, ...], tuple[str, tuple[str, ...]]] = {}  # the last one used comes last
        self._thinks: bool | None = None

    async def turn(self, messages: Sequence[ChatMessage], turn: str, *, think: bool = True) -> TurnPrompt:
        """A path's prompt: the dialogue, and the assistant's turn so far (`core.steps.join_path`).

        `think` False keeps the model from beginning to think. Raises: the engine's errors.
        """
        opening, marks = await self._rendered(messages)
        opened = is_opened(opening)
        asked = (OPEN in turn or not think) and not is_closed(opening)
        thinks = opened or (asked and await self._thinks_itself())
        return TurnPrompt(opening, turn, thinks, think, marks, f"{OPEN}\n" if opened and think and not turn else "")

    async def question(self, question: Question) -> str:
        """The text to read a question's answer after: thinking that would come first is closed at once.

        Raises: the engine's errors.
        """
        opening, _ = await self._rendered(question.messages)
        thinks = is_opened(opening) or (not is_closed(opening) and await self._thinks_itself())
        return question.prompt(opening, thinks=thinks)

    async def render(self, messages: Sequence[ChatMessage]) -> str:
        """The dialogue as a prompt that ends where the assistant's turn begins.

        Contents must have no white space at their ends, which many templates strip.
        Raises: the engine's errors.
        """
        return (await self._rendered(messages))[0]

    async def _rendered(self, messages: Sequence[ChatMessage]) -> tuple[str, tuple[str, ...]]:
        """The dialogue as a prompt, and the template's marks."""
        await self._forget_stale()
        asked_before = tuple(messages)
        if (known := self._openings.pop(asked_before, None)) is None:
            known = await self._put_together(messages)
        self._openings[asked_before] = known
        while len(self._openings) > _KEPT:
            del self._openings[next(iter(self._openings))]
        return known

    async def _put_together(self, messages: Sequence[ChatMessage]) -> tuple[str, tuple[str, ...]]:
        shape = tuple(message.role for message in messages)
        if shape not in self._frames:
            self._frames[shape] = await self._learn(messages)
        frame = self._frames[shape]
        messages = fold_system(messages) if frame.folded else messages
        contents = [neutralised(message.content, frame.marks) for message in messages]
        if frame.pieces is None:
            asked = [replace(message, content=content) for message, content in zip(messages, contents, strict=True)]
            return await self._engine.render(asked), frame.marks
        return "".join(chain.from_iterable(zip(frame.pieces, (*contents, ""), strict=True))), frame.marks

    async def _forget_stale(self) -> None:
        info, now = await self._engine.info(), self._now()
        model = (info.model, info.revision)
        if model != self._model or now - self._learnt_at >= FRESH_S:
            self._model, self._learnt_at = model, now
            self._frames.clear()
            self._openings.clear()
            self._thinks = None

    async def _learn(self, messages: Sequence[ChatMessage]) -> _Frame:
        marked = [replace(message, content=f"[[turn {i}]]") for i, message in enumerate(messages)]
        refusal: Permanent | None = None
        try:
            frame = await self._framed(marked)
            if not _loses_system(marked, frame):
                return frame
        except Permanent as error:
            refusal = error
        folded = fold_system(marked)
        if refusal and folded == tuple(marked):
            raise refusal
        # Contents in a folded dialogue are distinguished by their places again.
        marked = [replace(message, content=f"[[turn {i}]]") for i, message in enumerate(folded)]
        return replace(await self._framed(marked), folded=True)

    async def _framed(self, marked: Sequence[ChatMessage]) -> _Frame:
        rendered = rest = await self._engine.render(marked)
        if _CHANNELS.fullmatch(rendered, max(0, rendered.rfind("<|start|>"))):
            raise CapabilityMissing(
                "this model's turns have channels (harmony, the format of gpt-oss), which are not supported: servers "
                "leave their headers out of the text, so thinking and answer cannot be parted"
            )
        pieces = []
        for message in marked:
            before, found, rest = rest.partition(message.content)
            if not found or rendered.count(message.content) != 1:
                return _Frame(None, False, marks_in(re.split(r"\[\[turn \d+\]\]", rendered)))
            pieces.append(before)
        if marked and not _TURN_ENDS.sub("", rest):
            rest += await self._beginning(marked, rest)
        return _Frame((*pieces, rest), False, marks_in((*pieces, rest)))

    async def _beginning(self, marked: Sequence[ChatMessage], end: str) -> str:
        """What the template writes of the model's turn before what that has said, where it leaves it out otherwise.

        `end` is what it writes behind the last user's content.
        """
        try:
            said = await self._engine.render((*marked, ChatMessage("assistant", _SAID)))
        except Permanent:
            return ""
        before, found, _ = said.rpartition(marked[-1].content)[2].partition(_SAID)
        begins = before.removeprefix(end) if found and before.startswith(end) else ""
        named = any(map(str.isalpha, begins)) and "user" not in begins.lower() and OPEN not in begins
        return begins.rstrip(" ") if named else ""

    async def _thinks_itself(self) -> bool:
        """Whether the model writes `<think>` by itself: then its template drops what was thought in earlier turns."""
        if self._thinks is None:
            said = f"{OPEN}\n{_THOUGHT}\n{CLOSE}\n\n{_SAID}"
            turns = (ChatMessage("user", "1"), ChatMessage("assistant", said), ChatMessage("user", "2"))
            try:
                rendered = await self._engine.render(turns)
            except Permanent:
                rendered = ""
            self._thinks = _SAID in rendered and _THOUGHT not in rendered
        return self._thinks


def _loses_system(marked: Sequence[ChatMessage], frame: _Frame) -> bool:
    """Whether the template drops a system's text, moves it behind another turn, or gives it no turn of its own."""
    if not marked or marked[0].role != "system":
        return False
    return frame.pieces is None or _BARE.fullmatch(frame.pieces[0]) is not None
