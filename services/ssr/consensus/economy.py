"""Whether drafting pays, learnt from the engine's own clock: tokens a second in passes with drafts and without. Pure.

What drafting costs depends on the engine, the model and how many requests share a pass, so each size of a batch is
learnt by itself. Where drafting gains nothing it rests, longer each time, and is tried again for a few passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_TRIAL = 8  #: passes with drafts before a verdict
_PLAIN = 4  #: passes without that a verdict needs
_LOOK = 256  #: passes with drafts between two without, by which the other side of the scale is kept up to date
_SHORTEST_REST = 128  #: passes; doubled each time drafting still does not pay
_LONGEST_REST = 4096
_REMEMBERED = 32  #: passes that a mean is of, about
_OUTLIER = 4.0  #: times the mean: the engine waited for work, or read a prompt


@dataclass(slots=True)
class _Rate:
    """Tokens and seconds of a pass, in the mean of the latest ones."""

    seen: int = 0
    tokens: float = 0.0
    seconds: float = 0.0

    def observe(self, tokens: float, seconds: float) -> None:
        if self.seen:
            seconds = min(seconds, _OUTLIER * self.seconds)
        self.seen += 1
        share = 1 / min(self.seen, _REMEMBERED)
        self.tokens += share * (tokens - self.tokens)
        self.seconds += share * (seconds - self.seconds)

    @property
    def a_second(self) -> float:
        return self.tokens / self.seconds


@dataclass(slots=True)
class _Size:
    """Batches of about one size."""

    with_drafts: _Rate = field(default_factory=_Rate)
    without: _Rate = field(default_factory=_Rate)
    rest: int = 0
    next_rest: int = _SHORTEST_REST
    since_look: int = 0

    def decide(self, min_gain: float) -> bool:
        if self.rest:
            self.rest -= 1
            return False
        if self.with_drafts.seen < _TRIAL:
            return True
        if self.without.seen < _PLAIN:
            return False
        if self.with_drafts.a_second < min_gain * self.without.a_second:
            self.rest, self.next_rest = self.next_rest - 1, min(2 * self.next_rest, _LONGEST_REST)
            self.with_drafts = _Rate()
            return False
        self.next_rest = _SHORTEST_REST
        self.since_look += 1
        if self.since_look >= _LOOK:
            self.since_look = 0
            return False
        return True


class PassEconomy:
    """Drafting pays while a pass with drafts yields `min_gain` times the tokens a second of one without; 0: always."""

    def __init__(self, min_gain: float) -> None:
        self._min_gain = min_gain
        self._sizes: dict[int, _Size] = {}

    def drafts(self, rows: int) -> bool:
        """Whether to draft for a pass of so many rows; to be asked once a pass."""
        return not self._min_gain or self._size(rows).decide(self._min_gain)

    def observe(self, rows: int, drafted: bool, tokens: int, seconds: float) -> None:
        """A pass of so many rows, with drafts or without, yielded `tokens` and took `seconds`, drafting included."""
        if rows and tokens and seconds > 0:
            size = self._size(rows)
            (size.with_drafts if drafted else size.without).observe(tokens / rows, seconds)

    def pass_ms(self, rows: int) -> tuple[float, float]:
        """Milliseconds of a pass of about so many rows, with drafts and without; 0 where none was seen."""
        size = self._size(rows)
        return 1000 * size.with_drafts.seconds, 1000 * size.without.seconds

    def _size(self, rows: int) -> _Size:
        return self._sizes.setdefault(rows.bit_length(), _Size())
