r"""Plain numbers in the notations answers use, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

_DECIMAL = r"(?:\d++(?:\.\d*+)?|\.\d++)"
_SIGN = r"(?P<sign>[+-]?)"
_FORMS = (
    re.compile(rf"{_SIGN}(?P<top>{_DECIMAL})"),
    re.compile(rf"{_SIGN}(?P<top>{_DECIMAL})/(?P<bottom>{_DECIMAL})"),
    re.compile(rf"{_SIGN}(?P<whole>\d++) (?P<top>\d++)/(?P<bottom>\d++)"),
    re.compile(rf"{_SIGN}(?P<whole>\d++)?\\frac\{{(?P<top>-?{_DECIMAL})\}}\{{(?P<bottom>-?{_DECIMAL})\}}"),
    re.compile(rf"{_SIGN}(?P<whole>\d++)?\\frac ?(?P<top>\d)(?P<bottom>\d)"),
)
_REPEATING = re.compile(rf"{_SIGN}(?P<whole>\d*+)\.(?P<fixed>\d*+)\\overline\{{(?P<cycle>\d++)\}}")


def exact(text: str) -> Fraction | None:
    r"""The value of a plain number: `12`, `-0.5`, `3/4`, `\frac{3}{4}`, `1 1/2`, `1\frac12`, `0.1\overline{6}`.

    `text` is in the notation that `notation.normalise` gives. None: not a plain number (or a division by zero).
    """
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _fraction(match.groupdict())
    if match := _REPEATING.fullmatch(text):
        return _repeating(match.groupdict())
    return None


def _fraction(part: dict[str, str | None]) -> Fraction | None:
    bottom = Fraction(part.get("bottom") or 1)
    if bottom == 0:
        return None
    size = Fraction(part.get("whole") or 0) + Fraction(part["top"] or 0) / bottom
    return -size if part["sign"] == "-" else size


def _repeating(part: dict[str, str]) -> Fraction:
    fixed, cycle = part["fixed"], part["cycle"]
    size = Fraction(int(part["whole"] or 0))
    size += Fraction(int(fixed or 0), 10 ** len(fixed))
    size += Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(fixed))
    return -size if part["sign"] == "-" else size
