"""One sample as its drafter sees it: the draft under way, and whether drafting pays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ssr.consensus.calibration import AcceptanceCalibration, Kind
from ssr.consensus.throttle import Throttle


@dataclass(slots=True, eq=False)
class DraftedSample:
    """`drafted` tokens are being verified; they are the first of `expected`, of which `met` have come true."""

    switch: Throttle
    drafted: int = 0
    expected: Sequence[tuple[int, Kind]] = field(default=())
    met: int = 0

    def expect(self, expected: Sequence[tuple[int, Kind]], drafted: int) -> None:
        """A draft is made. What became of the one before and is not known by now stays unknown."""
        self.expected, self.drafted, self.met = expected, drafted, 0

    def meet(self, tokens: Iterable[int], calibration: AcceptanceCalibration) -> None:
        """Compare what was written with what was expected, up to the first difference."""
        for token in tokens:
            if self.met == len(self.expected):
                return
            expected, kind = self.expected[self.met]
            calibration.learn(kind, expected == token)
            if expected != token:
                self._settle()
                return
            self.met += 1
        if self.drafted and self.met >= self.drafted:
            self._settle()

    def _settle(self) -> None:
        if self.drafted:
            self.switch.observe(self.drafted, min(self.met, self.drafted))
        self.expect((), 0)
