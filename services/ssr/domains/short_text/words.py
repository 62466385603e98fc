"""Whether two short texts say the same: case, articles, punctuation, accents and the way of writing a date aside."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_TEXT = re.compile(r"\\(?:text(?:rm|bf|it)?|math(?:rm|bf)|mbox)\s?\{([^{}]*)\}")
_ARTICLES = frozenset({"a", "an", "the"})
_TITLES = frozenset({"mr", "mrs", "ms", "dr"})
# Words and numbers, and signs that say something: C# is not C, and < 5 not > 5.
_WORD = re.compile(r"[\w%+-]+(?:[.,:/]\d+)*|!=|[<>]=?|=|#")
_SIGNS = str.maketrans({"≠": "!=", "≤": "<=", "≥": ">=", "−": "-"})
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_SAME = {"true": "yes", "false": "no", "correct": "yes", "incorrect": "no"}
_VERDICTS = frozenset({"yes", "no", *_SAME})
_MONTHS = {
    name[:3]: number
    for number, name in enumerate(
        [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ],
        1,
    )
}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?([a-z]{3,9})\.?,?\s+(\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")


def plain_words(answer: str) -> str:
    """The answer in one spelling; a date as YYYY-MM-DD."""
    text = _TEXT.sub(r"\1", answer).replace("\\ ", " ").replace("~", " ")
    text = unicodedata.normalize("NFKD", text.translate(_SIGNS)).casefold()
    text = "".join(char for char in text if not unicodedata.combining(char)).strip(" $.")
    if found := _date(text):
        return found.isoformat()
    words = _WORD.findall(_THOUSANDS.sub("", text))
    # An article is in front of something: the A of "Plan A" is a name.
    said = [word for word, after in zip(words, [*words[1:], ""], strict=True) if word not in _ARTICLES or not after]
    untitled = [word for word in said if word not in _TITLES]
    kept = untitled if untitled and not (len(untitled) == 1 < len(said) and untitled[0] in _VERDICTS) else said
    return " ".join(_SAME.get(word, _NUMBERS.get(word, word)) for word in kept)


def _titles(answer: str) -> frozenset[str]:
    return _TITLES & set(re.findall(r"\w+", answer.casefold()))


async def same_words(a: str, b: str, tests: str) -> bool | None:
    """Never None: mathematics has no say in words, but in two plain numbers."""
    first, second = plain_words(a), plain_words(b)
    if first == second:
        titles = _titles(a), _titles(b)
        return titles[0] == titles[1] or not all(titles)  # Mr. Smith is Smith, but not Mrs. Smith
    return None if first.replace(".", "").isdigit() and second.replace(".", "").isdigit() else False


def _date(text: str) -> date | None:
    """A day that is written whole, in one of three ways."""
    if found := _ISO.fullmatch(text):
        parts: tuple[str, str | int, str] = found[1], int(found[2]), found[3]
    elif found := _DAY_FIRST.fullmatch(text):
        parts = found[3], _MONTHS.get(found[2][:3], 0), found[1]
    elif found := _MONTH_FIRST.fullmatch(text):
        parts = found[3], _MONTHS.get(found[1][:3], 0), found[2]
    else:
        return None
    try:
        return date(int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        return None
