"""The verdict on two answers as far as reading and arithmetic give it: exact, bounded, and without a worker."""

from __future__ import annotations

from collections.abc import Callable

from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.comparison.evaluation import cost
from ssr.orchestrator.equivalence.comparison.forms import Comparison
from ssr.orchestrator.equivalence.reading.answer import read
from ssr.orchestrator.equivalence.reading.choices import beside, labelled, named
from ssr.orchestrator.equivalence.reading.forms import Choice, Form, parts_of
from ssr.orchestrator.equivalence.reading.spelling import plain

#: What the formulas of a question may cost to stay out of the workers: some milliseconds.
EVENT_LOOP_BUDGET = 120


#: Longer answers are read by a worker, whose limits end what takes long.
EVENT_LOOP_CHARS = 250
#: An answer's form with all that is endless computed; None where it is not.
Computing = Callable[[str, Form], Form | None]


class EquivalenceDecision:
    """Reads and compares answers to one problem; a worker's `budget` is none. `compute` knows what is endless."""

    def __init__(
        self, context: Context, *, budget: int | None = EVENT_LOOP_BUDGET, compute: Computing | None = None
    ) -> None:
        self._context, self._budget, self._compute = context, budget, compute
        self._comparison = Comparison(context)

    def verdict(self, a: str, b: str) -> bool | None:
        """Whether they are equal; None: a worker has to find out."""
        x, y = plain(a), plain(b)
        if x == y:
            return True
        if not x or not y:
            return False
        if self._budget is not None and max(len(a), len(b)) > EVENT_LOOP_CHARS:
            return None
        if self._context.choices:
            x_label, y_label = (self.chosen(answer) for answer in (a, b))
            if x_label or y_label:
                return x_label == y_label
        form_a, form_b = self._form(a, x), self._form(b, y)
        if form_a is not None and form_b is not None and self._compute is not None:
            form_a, form_b = self._compute(a, form_a), self._compute(b, form_b)
        if form_a is None or form_b is None or self._too_dear(form_a, form_b):
            return None
        return self._comparison.same(form_a, form_b)

    def chosen(self, answer: str) -> str | None:
        """The choice that an answer names, by its label, or by its text where that is one choice's alone."""
        if label := labelled(self._context.choices, plain(answer)):
            return label
        texts = {label: text for label, text in self._context.choices.items() if text}
        without = EquivalenceDecision(Context(), budget=self._budget)
        found = [label for label, text in texts.items() if without.verdict(text, answer)]
        if len(found) == 1:
            return found[0]
        both = beside(plain(answer))
        if both and both[0] in texts and without.verdict(both[1], texts[both[0]]):
            return both[0]
        return None

    def _form(self, answer: str, spelled: str) -> Form | None:
        if not self._context.known and (label := named(spelled)) and label[1] and label[0] <= "J":
            return Choice(*label)
        return read(answer, ratios=self._context.ratios)

    def _too_dear(self, *forms: Form) -> bool:
        if self._budget is None:
            return False
        return sum(cost(tree) for form in forms for tree in parts_of(form)) > self._budget
