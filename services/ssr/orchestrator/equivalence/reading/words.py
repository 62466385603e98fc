"""Numbers and formulas in English words, rewritten as plain notation."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {word: value for value, word in enumerate(_ONES)}
_SMALL |= {word: 20 + 10 * place for place, word in enumerate(_TENS)} | {"fourty": 40}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
    "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90,
    "hundredth": 100, "thousandth": 1000, "millionth": 10**6,
}  # fmt: skip
_ORDINALS = {
    "first": 1,
    "second": 2,
    **{word: value for word, value in _PARTS.items() if word not in ("half", "halve")},
}
_TOKEN = re.compile(r"[A-Za-z]+|\d+(?:,\d{3})*(?:\.\d+)?|\\[A-Za-z]+|\s+|.", re.DOTALL)

# What stands between numbers and names, longest first; a blank in a pattern is any blank or hyphen.
_PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?:the )?square root of", " √"),
    (r"(?:the )?cube root of", " ∛"),
    (r"(?:the )?fourth root of", " ∜"),
    (r"(?:raised )?to the power(?: of)?", "^"),
    (r"raised to", "^"),
    (r"(?:the )?negative(?: of)?|(?<!or )minus", " -"),
    (r"plus or minus", r"\\pm "),
    (r"plus", "+"),
    (r"multiplied by|times", "*"),
    (r"divided by|over", "/"),
    (r"squared", "^2"),
    (r"cubed", "^3"),
    (r"factorial", "!"),
    (r"per cent", "%"),
    (r"is equal to|equals", "="),
    (r"is not equal to|does not equal", r"\\ne "),
    (r"is greater than or equal to|(?:is )?at least", r"\\ge "),
    (r"is less than or equal to|(?:is )?at most", r"\\le "),
    (r"is greater than|greater than|more than", ">"),
    (r"is less than|less than", "<"),
    (r"(?:positive |plus )infinity", r"\\infty "),
)
_PHRASE_PATTERNS = tuple(
    (re.compile(rf"(?<![A-Za-z\\]){phrase.replace(' ', '[ -]')}(?![A-Za-z])", re.IGNORECASE), instead)
    for phrase, instead in sorted(_PHRASES, key=lambda item: -len(item[0]))
)
_TO_THE = re.compile(r"(?<=[\w)])\s+to the (\w+)(?:[ -](\w+))?(?: power)?(?![A-Za-z])", re.IGNORECASE)
_ARTICLE = re.compile(r"(?<![A-Za-z\\])the(?= [-√∛∜])", re.IGNORECASE)
_BETWEEN_GROUPS = re.compile(rf"\b({'|'.join(_SCALES)}),\s+(?=(?:{'|'.join((*_ONES, *_TENS))})\b)", re.IGNORECASE)
_ROUGHLY = re.compile(r"^(?:about|approximately|approx\.?|around|exactly|roughly|only|just)\s+(?=\S)", re.IGNORECASE)


def rewritten(text: str) -> str:
    """`text` with the numbers and operations that it has in words in plain notation; others stay as they are."""
    text = _ROUGHLY.sub("", text)
    if not re.search(r"[A-Za-z]{3}", re.sub(r"\\[A-Za-z]+", "", text)):
        return text
    text = _BETWEEN_GROUPS.sub(r"\1 ", text)
    text = _TO_THE.sub(_power_in_words, text)
    text = _numbers(text)
    for pattern, instead in _PHRASE_PATTERNS:
        text = pattern.sub(instead, text)
    return " ".join(_ARTICLE.sub("", text).split())


def ordinal(word: str) -> int | None:
    """3 for "third" and "3rd"."""
    if match := re.fullmatch(r"(\d{1,9})(?:st|nd|rd|th)", word, re.IGNORECASE):
        return int(match[1])
    lower = word.lower()
    tens, _, ones = lower.partition("-")
    if ones in _ORDINALS and tens in _TENS:
        return _SMALL[tens] + _ORDINALS[ones]
    return _ORDINALS.get(lower)


def _power_in_words(match: re.Match[str]) -> str:
    words = " ".join(word for word in match.groups() if word)
    value = ordinal(words.replace(" ", "-")) or ordinal(words.split()[0])
    number = _Reader(words.lower().split()).number() if value is None else None
    if value is None and number is None:
        return match[0] if len(words) > 1 else f"^{words}"
    return f"^{value if value is not None else number}"


def _numbers(text: str) -> str:
    """The text with every number in words as digits."""
    pieces = _TOKEN.findall(text)
    out: list[str] = []
    place = 0
    while place < len(pieces):
        length, digits = _number_at(pieces, place)
        out.append(digits if length else pieces[place])
        place += max(length, 1)
    return "".join(out)


def _number_at(pieces: Sequence[str], start: int) -> tuple[int, str]:
    """The number in words that begins there: how many pieces it has, and its notation; 0 pieces for none."""
    words: list[str] = []
    ends: list[int] = []
    for place in range(start, min(len(pieces), start + 60)):
        piece = pieces[place]
        if re.fullmatch(r"[A-Za-z]+", piece):
            words.append(piece.lower())
            ends.append(place + 1)
        elif re.fullmatch(r"\d[\d,]*(?:\.\d+)?", piece) and place == start:
            words.append(piece.replace(",", ""))
            ends.append(place + 1)
        elif not (piece.isspace() or piece == "-") or not words:
            break
    reader = _Reader(words)
    digits = reader.number()
    return (ends[reader.at - 1] - start, digits) if digits is not None and reader.at else (0, "")


class _Reader:
    """Reads one number from the beginning of a list of words; `at` is how many it took."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words, self.at = words, 0

    def _word(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self._words[place] if place < len(self._words) else ""

    def number(self) -> str | None:
        first = self._word()
        if first[:1].isdigit():
            return self._scaled(first)
        if first == "half" or (first in ("a", "an") and self._part(1)):
            return self._bare_fraction(first)
        if first in ("a", "an") and self._word(1) in ("hundred", "dozen", *_SCALES):
            self.at += 1
            if self._word() == "dozen":
                self.at += 1
                return "12"
            return self._with_fraction(self._cardinal(1))
        if first not in _SMALL:
            return None
        return self._with_fraction(self._cardinal(None))

    def _scaled(self, digits: str) -> str | None:
        """3 million, 2.5 thousand."""
        scale = 100 if self._word(1) == "hundred" else _SCALES.get(self._word(1))
        if scale is None:
            return None
        self.at += 2
        return f"({digits}*{scale})" if "." in digits else str(int(digits) * scale)

    def _bare_fraction(self, first: str) -> str:
        if first == "half":
            self.at += 1
            return "(1/2)"
        bottom = self._part(1)
        self.at += 2
        return f"(1/{bottom})"

    def _cardinal(self, given: int | None) -> int:
        total, current = 0, given or 0
        if given is None:
            current = self._below_hundred()
        while word := self._word():
            if word == "hundred" and current < 100:
                current *= 100
            elif word in _SCALES:
                total, current = total + current * _SCALES[word], 0
            elif word in _SMALL and (current % 100 == 0) and (total or current):
                current += self._below_hundred()
                continue
            elif word == "and" and (current or total) and current % 100 == 0 and self._continues():
                pass
            else:
                break
            self.at += 1
        return total + current

    def _continues(self) -> bool:
        """Whether what is behind "and" belongs to the number: "one hundred and five", not "one hundred and a half"."""
        return self._word(1) in _SMALL and not self._part(2)

    def _below_hundred(self) -> int:
        value = _SMALL[self._word()]
        self.at += 1
        if value >= 20 and 0 < _SMALL.get(self._word(), 0) < 10:
            value += _SMALL[self._word()]
            self.at += 1
        return value

    def _with_fraction(self, whole: int) -> str:
        word = self._word()
        if word == "point" and self._word(1) in _SMALL:
            self.at += 1
            digits = ""
            while self._word() in _SMALL:
                digits += str(self._below_hundred())
            return f"{whole}.{digits}"
        if word == "dozen":
            self.at += 1
            return str(whole * 12)
        if bottom := self._part(0):
            self.at += 1
            return f"({whole}/{bottom})"
        if tens := self._compound_part():
            self.at += 2
            return f"({whole}/{tens})"
        if word == "and" and (part := self._part_behind_and()):
            return f"({whole}+{part})"
        return str(whole)

    def _compound_part(self) -> int | None:
        """The 25 of "twenty fifths"."""
        if self._word() in _TENS and (ones := self._part(1)) and ones < 10:
            return _SMALL[self._word()] + ones
        return None

    def _part_behind_and(self) -> str | None:
        behind = _Reader(self._words[self.at + 1 :])
        first = behind._word()
        if first in ("a", "an", "half") or first in _SMALL:
            digits = behind.number()
            if digits and re.fullmatch(r"\(1/\d+\)|\(\d+/\d+\)", digits):
                self.at += 1 + behind.at
                return digits
        return None

    def _part(self, ahead: int) -> int | None:
        """The denominator that a word names: 4 for "quarters"."""
        word = self._word(ahead)
        if word == "halves":
            return 2
        return _PARTS.get(word) or _PARTS.get(word.removesuffix("s"))
