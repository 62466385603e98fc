"""How far drafts may run ahead of verification. Pure.

What is drafted behind a step that is then rewritten is wasted. With a share r of the steps rewritten and n whole steps
ahead whenever that happens, r x n steps are wasted for each that is judged: n is bounded so that this stays below
`max_waste` of all that is drafted. Usually less is ahead, because the verdict comes first; so what was really wasted
decides whether the next step is drafted ahead at all.
"""

from __future__ import annotations

from ssr.core.ledger import Ledger
from ssr.core.limits import MAX_LOOKAHEAD
from ssr.core.types import Options

#: A job begins as if it had seen so many steps judged, and so many of them rewritten.
_PRIOR_STEPS, _PRIOR_REWRITTEN = 2.5, 0.5
#: Of a step, what is wasted with a rewritten one as long as nothing is known.
_PRIOR_WASTE = 0.5
#: A draft that is awaited for more than this share of a verdict's time is late; streams are worth it again where more
#: than half of about so many have been.
_LATE, _LATE_TURNS = 0.5, 8


class Pacing:
    """Which is faster, drafts or verdicts, as far as is known; shared by all paths of the same two models.

    `outrun`: drafts are, so that the last stream of them ended for being far enough ahead. Every one would end so: cut
    off and opened again with each step, and what it has begun thrown away. Asked for alone, a draft is there in time
    all the same.
    """

    def __init__(self) -> None:
        self.outrun = False
        self._late = 0.0

    def far_enough(self) -> None:
        """A stream of drafts ended because enough was ahead."""
        self.outrun, self._late = True, 0.0

    def waited(self, draft_s: float, verdict_s: float) -> None:
        """Behind a verdict that took so long, the next draft took so long more: 0 where it was there."""
        self._late += ((draft_s > verdict_s * _LATE) - self._late) / _LATE_TURNS
        if self._late > 0.5:
            self.outrun = False


def steps_ahead(options: Options, ledger: Ledger) -> int:
    """How many whole steps may be drafted and not judged now, the one that is being judged not counted; 0: none.

    0 also means that drafting waits for the verdict.
    """
    most = MAX_LOOKAHEAD if options.lookahead is None else options.lookahead
    if not most or not options.max_waste:
        return 0
    judged = ledger.accepted_steps + ledger.rewritten_steps
    rewritten = (ledger.rewritten_steps + _PRIOR_REWRITTEN) / (judged + _PRIOR_STEPS)
    if judged and not _worth_it(options.max_waste, rewritten, judged, ledger):
        return 0
    kept = 1 - options.max_waste
    return most if kept <= 0 else max(1, min(most, int(options.max_waste / (rewritten * kept))))


def _worth_it(max_waste: float, rewritten: float, judged: int, ledger: Ledger) -> bool:
    """Whether the waste stays within its share if the next step is drafted ahead and its like is thrown away."""
    of_step = (ledger.drafted_tokens - ledger.wasted_tokens) / judged
    of_rewrite = (ledger.wasted_tokens + _PRIOR_WASTE * of_step) / (ledger.rewritten_steps + 1)
    more = rewritten * of_rewrite
    return ledger.wasted_tokens + more <= max_waste * (ledger.drafted_tokens + of_step + more)
