"""A text that grows token by token, up to a stop text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ssr.engines.stops import cut_at_stop

#: What servers put where a character's last bytes are in a token still to come.
_HALF_CHARACTER = "\ufffd"


class StreamedText:
    """Gives out what is sure: no half characters, and nothing that may turn out to be a stop text of `stops`."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._given: list[str] = []
        self._held = ""
        self.stopped = False  #: whether a stop text came up; nothing is taken after it

    @property
    def text(self) -> str:
        """All that was given out."""
        return "".join(self._given)

    def resume(self) -> str:
        """All text so far, for a model that goes on from here: half a character is forgotten, it comes anew."""
        self._held = self._held.rstrip(_HALF_CHARACTER)
        return self.text + self._held

    def add(self, text: str) -> str:
        """What is sure now that `text` has come."""
        if self.stopped:
            return ""
        if not self._stops and not self._held and not text.endswith(_HALF_CHARACTER):
            return self._give(text)
        sure, self.stopped = cut_at_stop(self._held + text, self._stops)
        self._held = "" if self.stopped else sure[len(sure) - self._unsure(sure) :]
        return self._give(sure[: len(sure) - len(self._held)])

    def end(self) -> str:
        """What was held back and will not go on; half a character never becomes part of the text."""
        rest, self._held = self._held.rstrip(_HALF_CHARACTER), ""
        return self._give(rest)

    def _give(self, text: str) -> str:
        if text:
            self._given.append(text)
        return text

    def _unsure(self, text: str) -> int:
        """How many characters at the end of `text` must wait for what follows."""
        whole = text.rstrip(_HALF_CHARACTER)
        halves = len(text) - len(whole)
        # What is before half a character counts, too: that may be forgotten (`resume`).
        return max(self._begun(text), halves + self._begun(whole))

    def _begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a stop text."""
        return max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
