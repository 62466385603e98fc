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
