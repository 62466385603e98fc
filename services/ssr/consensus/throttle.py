"""When to stop drafting for a sample, and when to try again. Pure."""

from __future__ import annotations

_FADE = 0.95  #: of what a draft counts, with every draft after it: the last 20 or so matter
_TRIAL_TOKENS = 64  #: drafted before a verdict: fewer would stop samples that only had bad luck
_SHORTEST_REST = 16  #: passes without a draft; doubled each time it still does not pay
_LONGEST_REST = 256


class Throttle:
    """Of one sample. Drafting pays while at least `price` of the lately drafted tokens are accepted."""

    def __init__(self, price: float) -> None:
        self._price = price
        self._drafted = self._accepted = 0.0
        self._rest = 0
        self._next_rest = _SHORTEST_REST

    def on(self) -> bool:
        """Whether to draft in this pass; to be asked once a pass."""
        if not self._rest:
            return True
        self._rest -= 1
        return False

    def observe(self, drafted: int, accepted: int) -> None:
        """What became of a draft."""
        self._drafted = self._drafted * _FADE + drafted
        self._accepted = self._accepted * _FADE + accepted
        if self._drafted < _TRIAL_TOKENS:
            return
        if self._accepted >= self._price * self._drafted:
            self._next_rest = _SHORTEST_REST
        else:
            self._rest, self._next_rest = self._next_rest, min(2 * self._next_rest, _LONGEST_REST)
            self._drafted = self._accepted = 0.0
