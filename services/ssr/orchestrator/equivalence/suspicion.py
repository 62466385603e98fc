"""Which answers look costly to compute, by how they are written and by what became of others like them."""

from __future__ import annotations

import re
from collections import OrderedDict

#: Towers of powers, and factorials and powers of large numbers.
_COSTLY = re.compile(r"\^\s*(?:\{[^{}]{0,12}|\w\s*)\^|\d{5,}\s?!|!\s?!|\^\s?\{?\s?\d{4,}|\d{5,}\s?\}?\s?\^")
_NUMBER = re.compile(r"\d+")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])|(?<=d)[a-z](?![A-Za-z])")
_LAYOUT = str.maketrans("", "", " {}$,;")
#: Levels later that a question comes for its looks, for each limit that its shape ran into, and at most.
_LOOKS, _EACH, _MOST = 1, 2, 6
#: Shapes, and answers that ran into limits, that are remembered.
_REMEMBERED = 2048


class Suspicion:
    """What is known of answers that ran into limits.

    Answers that differ in their numbers and letters alone are of one shape. A shape that ran into limits comes later in
    other jobs, too, so that many jobs with the like of it cost no more than a few; one that was computed since does
    not. An answer that was being computed alone when the last limit ended it is known by its text: it is not tried
    again.
    """

    def __init__(self) -> None:
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._hopeless: OrderedDict[str, None] = OrderedDict()

    def levels(self, *answers: str) -> int:
        """How many levels later a question about these answers comes."""
        looks = any(_COSTLY.search(answer) for answer in answers)
        ended = max(self._ended.get(_shape(answer), 0) for answer in answers)
        return min(_MOST, looks * _LOOKS + ended * _EACH)

    def answered(self, *answers: str) -> None:
        """They were computed."""
        for answer in answers:
            self._ended.pop(_shape(answer), None)

    def ended(self, *answers: str) -> None:
        """They ran into a limit."""
        for answer in answers:
            shape = _shape(answer)
            if len(shape) > 1:  # a number or a letter alone is never the cause
                self._ended[shape] = min(_MOST, self._ended.pop(shape, 0) + 1)
                _bound(self._ended)

    def is_hopeless(self, answer: str) -> bool:
        """Whether it alone ran into the last limit before."""
        return answer in self._hopeless

    def give_up(self, answer: str) -> None:
        self._hopeless[answer] = None
        _bound(self._hopeless)


def _bound(known: OrderedDict[str, int] | OrderedDict[str, None]) -> None:
    if len(known) > _REMEMBERED:
        known.popitem(last=False)


def _shape(answer: str) -> str:
    return _LETTER.sub("x", _NUMBER.sub("0", answer)).translate(_LAYOUT)
