"""Texts, and where every k-token suffix occurred in them: filled token by token, never rebuilt, bounded in size.

    memory ── young generation ── texts        one list of tokens for each owner: [.. 7 3 9 1 ..]
           │                   └─ occurrences  of suffixes: {hash(7,3,9): [where 1 follows], hash(3,9): [...], ...}
           └─ old generation      the same, of before; forgotten when the young one holds half the limit

Adding a token costs one entry for each order, whatever the number of texts; looking up costs the number of
occurrences asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from ssr.consensus.settings import LONGEST_AGREEMENT

#: An occurrence is one integer: the text's number, and in the low bits the place of the token that follows.
_PLACE_BITS = 32
_PLACE = (1 << _PLACE_BITS) - 1


@dataclass(slots=True)
class Text:
    """What `owner` wrote, as far as this generation remembers it.

    `probabilities` are the model's, one for each token, 0 where it was not reported; None where none was.
    """

    owner: Hashable
    tokens: list[int]
    probabilities: list[float] | None = None

    def append(self, token: int, probability: float | None) -> None:
        if probability is not None and self.probabilities is None:
            self.probabilities = [0.0] * len(self.tokens)
        self.tokens.append(token)
        if self.probabilities is not None:
            self.probabilities.append(probability or 0.0)

    def tail(self) -> Text:
        """The end of it, which a longer match can look back to."""
        end = -LONGEST_AGREEMENT
        return Text(self.owner, self.tokens[end:], self.probabilities and self.probabilities[end:])


@dataclass(slots=True)
class _Generation:
    texts: list[Text | None] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)  #: of each owner's text in `texts`
    occurrences: dict[int, int | list[int]] = field(default_factory=dict)
    tokens: int = 0

    def text(self, owner: Hashable) -> Text | None:
        number = self.numbers.get(owner)
        return None if number is None else self.texts[number]

    def open(self, text: Text) -> int:
        number = self.numbers[text.owner] = len(self.texts)
        self.texts.append(text)
        return number


class SuffixMemory:
    """At most about `limit` tokens; of each suffix at least the latest `keep` occurrences."""

    def __init__(self, orders: Sequence[int], limit: int, keep: int) -> None:
        self._orders = tuple(orders)
        self._half = max(1, limit // 2)
        self._keep = keep
        self._young, self._old = _Generation(), _Generation()

    @property
    def tokens(self) -> int:
        """How many tokens are remembered."""
        return self._young.tokens + self._old.tokens

    def begin(self, owner: Hashable, before: Sequence[int] = ()) -> None:
        """Start a text of `owner`, who has none, that continues what is `before` it (which is not remembered here)."""
        self._young.open(Text(owner, list(before[-LONGEST_AGREEMENT:])))

    def append(self, owner: Hashable, tokens: Iterable[int], probabilities: Iterable[float] | None = None) -> None:
        """Remember that `tokens` follow what `owner` has written."""
        reported = None if probabilities is None else iter(probabilities)
        for token in tokens:
            if self._young.tokens >= self._half:
                self._old, self._young = self._young, _Generation()
            young = self._young
            number = young.numbers.get(owner)
            if number is None:
                before = self._old.text(owner)
                number = young.open(before.tail() if before else Text(owner, []))
            text = young.texts[number]
            assert text is not None
            self._note(text.tokens, number << _PLACE_BITS | len(text.tokens))
            text.append(token, None if reported is None else next(reported, None))
            young.tokens += 1

    def ending(self, owner: Hashable) -> list[int]:
        """The last tokens of `owner`, as many as a match can agree with; fewer where there are no more."""
        text = self._young.text(owner) or self._old.text(owner)
        return [] if text is None else text.tokens[-LONGEST_AGREEMENT:]

    def find(self, suffix: Sequence[int], order: int) -> list[tuple[Text, int]]:
        """Where the last `order` tokens of `suffix` occurred: text and place of what follows; about the latest first.

        Two suffixes may share a hash: the caller compares the tokens.
        """
        key = hash(tuple(suffix[-order:]))
        found: list[tuple[Text, int]] = []
        for generation in (self._young, self._old):
            noted = generation.occurrences.get(key)
            if noted is None:
                continue
            latest = (noted,) if isinstance(noted, int) else noted[: -self._keep - 1 : -1]
            for occurrence in latest:
                text = generation.texts[occurrence >> _PLACE_BITS]
                if text is not None:
                    found.append((text, occurrence & _PLACE))
        return found

    def forget(self, owner: Hashable) -> None:
        """Nothing that `owner` wrote is found any more."""
        for generation in (self._young, self._old):
            number = generation.numbers.pop(owner, None)
            if number is not None:
                generation.texts[number] = None

    def texts(self) -> list[Text]:
        """All that is remembered, older first."""
        return [text for generation in (self._old, self._young) for text in generation.texts if text is not None]

    def _note(self, tokens: list[int], occurrence: int) -> None:
        """Enter the place behind `tokens` under each of their suffixes."""
        length, occurrences = len(tokens), self._young.occurrences
        for order in self._orders:
            if order > length:
                continue
            key = hash(tuple(tokens[-order:]))
            noted = occurrences.get(key)
            if noted is None:  # most suffixes occur once: no list for them
                occurrences[key] = occurrence
            elif isinstance(noted, int):
                occurrences[key] = [noted, occurrence]
            else:
                noted.append(occurrence)
                if len(noted) >= 2 * self._keep:
                    del noted[: -self._keep]
