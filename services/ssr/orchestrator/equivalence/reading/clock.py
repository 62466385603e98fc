"""Times of day and dates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssr.orchestrator.equivalence.reading.words import ordinal


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """`minutes` (with seconds as their fraction's numerator) since midnight; `certain` if a half of the day is said."""

    seconds: int
    certain: bool

    def same(self, other: TimeOfDay) -> bool:
        """Whether they are one time; one without a half of the day is in the other's half, if it can be."""
        if self.certain == other.certain:
            return self.seconds == other.seconds
        return self.seconds % 43_200 == other.seconds % 43_200


@dataclass(frozen=True, slots=True)
class Day:
    """A date; 0 for a year that is not said."""

    year: int
    month: int
    day: int

    def same(self, other: Day) -> bool:
        same_year = self.year == other.year or 0 in (self.year, other.year)
        return same_year and (self.month, self.day) == (other.month, other.day)


_HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_IN_WORDS = re.compile(rf"\b(?:{'|'.join(_HOURS)})\b", re.IGNORECASE)
_HALF = r"(?P<half>[ap])\.?\s?m\.?(?:\s+in the \w+)?|(?:in the )?(?P<part>morning|afternoon|evening|at night)"
_CLOCK = re.compile(
    rf"(?P<hour>[01]?\d|2[0-4])\s?(?:[:h]|\.(?=.*m))\s?(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?\s?(?:{_HALF})?(?:\s?h(?:rs|ours)?)?",
    re.IGNORECASE,
)
_HOUR = re.compile(rf"(?P<hour>1[0-2]|0?\d)\s?(?:o'?\s?clock)?\s?(?:{_HALF})", re.IGNORECASE)
_SHARP = re.compile(r"(?P<hour>1[0-2]|0?\d)\s?o'?\s?clock", re.IGNORECASE)
_PAST = re.compile(
    r"(?P<count>half|(?:a )?quarter|\d+)(?: minutes?)? (?P<side>past|after|to|before|till) (?P<hour>\d+)"
    rf"\s?(?:{_HALF})?",
    re.IGNORECASE,
)
#: No clock is read so: "2 to 3".
_RATIO = re.compile(r"(?!(?:5|10|20|25) )\d+ to \d+")
_MONTHS = [
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
]
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_ORDINAL = re.compile(r"\b(?:twenty-|thirty-)?[a-z]*(?:first|second|third|[a-z]th)\b", re.IGNORECASE)
_DATES = (
    re.compile(rf"(?:\w+day,?\s+)?{_MONTH}\s+{_DAY}(?:\s?,?\s+(?P<year>\d{{4}}))?", re.IGNORECASE),
    re.compile(rf"(?:\w+day,?\s+)?(?:the\s+)?{_DAY}(?:\s+of)?\s+{_MONTH}(?:\s?,?\s+(?P<year>\d{{4}}))?", re.IGNORECASE),
    re.compile(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"),
    re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})"),
)


def time_of(text: str) -> TimeOfDay | None:
    """The time of day that a text is, in words or digits: "3:30 pm", "15:30", "half past three", "noon"."""
    flat = text.replace("⟦", " ").replace("⟧", " ")
    flat = " ".join(re.sub(r"^\s*(?:at|the time is)\s+", "", flat, flags=re.IGNORECASE).split())
    if flat.lower() in ("noon", "midday", "12 noon", "12:00 noon"):
        return TimeOfDay(43_200, True)
    if flat.lower() in ("midnight", "12 midnight", "12:00 midnight"):
        return TimeOfDay(0, True)
    flat = re.sub(r"(?<=\d)\s?:\s(?=\d)", ":", flat).replace("alf-past", "alf past")
    flat = _IN_WORDS.sub(lambda word: str(_HOURS.index(word[0].lower()) + 1), flat)
    if (match := _PAST.fullmatch(flat)) and not _RATIO.fullmatch(flat):
        return _past(match)
    if match := _CLOCK.fullmatch(flat) or _HOUR.fullmatch(flat) or _SHARP.fullmatch(flat):
        return _clock(match)
    return None


def date_of(text: str) -> Day | None:
    """The date that a text is: "March 5, 2024", "5th of March", "2024-03-05", "3/5/2024" (the month first)."""
    flat = " ".join(text.replace("⟦", " ").replace("⟧", " ").split())
    flat = _ORDINAL.sub(lambda word: str(ordinal(word[0]) or word[0]), re.sub(r"^on ", "", flat, flags=re.IGNORECASE))
    for pattern in _DATES:
        match = pattern.fullmatch(flat)
        if match and (month := _month(match["month"])):
            day, year = int(match["day"]), int(match["year"] or 0)
            if month > 12 and day <= 12:
                month, day = day, month
            if month <= 12 and 1 <= day <= 31:
                return Day(year, month, day)
    return None


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    lower = text.lower()
    return next((n for n, name in enumerate(_MONTHS, 1) if lower in (name, name[:3], name[:4])), 0)


def _clock(match: re.Match[str]) -> TimeOfDay | None:
    parts = match.groupdict()
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower() or {"m": "a"}.get((parts.get("part") or "?")[0].lower(), "")
    if not half and parts.get("part"):
        half = "p"
    if half:
        if not 1 <= hour <= 12:
            return TimeOfDay(hour * 3600 + minute * 60 + second, True) if hour > 12 and half == "p" else None
        hour = hour % 12 + (12 if half == "p" else 0)
    # 0:15 and 15:30 are said in 24 hours; 3:30 may be either.
    certain = bool(half) or hour > 12 or match["hour"].startswith("0")
    return TimeOfDay(hour % 24 * 3600 + minute * 60 + second, certain)


def _past(match: re.Match[str]) -> TimeOfDay | None:
    count = match["count"].lower()
    minutes = 30 if count == "half" else 15 if "quarter" in count else int(count)
    hour = int(match["hour"])
    if not (1 <= hour <= 12 and minutes < 60):
        return None
    half = (match["half"] or "").lower() or {"m": "a", "a": "p", "e": "p"}.get((match["part"] or "?")[0].lower(), "")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    total = hour * 60 + (minutes if match["side"].lower() in ("past", "after") else -minutes)
    return TimeOfDay(total * 60 % 86_400, bool(half))
