"""Units of measure: what a quantity's number counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ssr.orchestrator.equivalence.reading.tokens import FormulaToken


@dataclass(frozen=True, slots=True)
class Unit:
    """Dimensions (a base unit and its exponent, in order) and how many of them one is."""

    bases: tuple[tuple[str, int], ...]
    factor: Fraction = Fraction(1)
    #: Which way it is counted, in a word: "more" and "less" are opposites.
    side: str = ""

    def fits(self, other: Unit) -> bool:
        """Whether quantities in both can be compared; nouns may be more or less of the same words."""
        if _OPPOSITES.get(self.side) == other.side:
            return False
        if self.bases == other.bases or {self, other} == {_STERLING, _POUND}:
            return True
        if (self.side and not self.bases) or (other.side and not other.bases):
            return True
        mine, others = self._noun(), other._noun()
        return bool(mine and others) and (mine <= others or others <= mine)

    def _noun(self) -> frozenset[str]:
        """The words of a thing that is counted; none for units of measure."""
        if len(self.bases) == 1 and self.bases[0][0].startswith("~") and self.bases[0][1] == 1:
            return frozenset(self.bases[0][0][1:].split())
        return frozenset()


_SIDES = {
    "more": "more", "less": "less", "fewer": "less", "later": "later", "after": "later", "ago": "ago", "earlier": "ago",
    "before": "ago", "left": "left", "right": "right", "up": "up", "down": "down", "above": "up", "below": "down",
}  # fmt: skip
_OPPOSITES = {"more": "less", "later": "ago", "left": "right", "up": "down"}
_OPPOSITES |= {other: one for one, other in _OPPOSITES.items()}
_STERLING = Unit((("pound sterling", 1),))
#: By its name it may be money as well.
_POUND = Unit((("gram", 1),), Fraction(45359237, 100000))
PERCENT = Unit((("percent", 1),))
DEGREE = Unit((("degree", 1),))
RADIAN = Unit((("radian", 1),))

_METRIC = {"k": 3, "c": -2, "m": -3, "d": -1, "µ": -6, "n": -9, "M": 6, "G": 9}
_METRIC_WORDS = {"kilo": 3, "centi": -2, "milli": -3, "deci": -1, "micro": -6, "nano": -9, "mega": 6, "giga": 9}
_BASES = {
    "m": "metre", "g": "gram", "L": "litre", "l": "litre", "s": "second", "Hz": "hertz", "W": "watt", "J": "joule",
    "N": "newton", "V": "volt", "A": "ampere", "Pa": "pascal", "Wh": "watthour", "mol": "mole", "eV": "electronvolt",
}  # fmt: skip
_BASE_WORDS = {
    "meter": "metre", "metre": "metre", "gram": "gram", "gramme": "gram", "liter": "litre", "litre": "litre",
    "hertz": "hertz", "watt": "watt", "joule": "joule", "newton": "newton", "volt": "volt", "ampere": "ampere",
    "amp": "ampere", "pascal": "pascal", "mole": "mole", "byte": "byte", "bit": "bit", "calorie": "calorie",
}  # fmt: skip
# Name(s), base, how many of it.
_OTHERS: tuple[tuple[str, str, Fraction | int], ...] = (
    ("second sec secs", "second", 1),
    ("minute min mins", "second", 60),
    ("hour hr hrs h", "second", 3600),
    ("day", "second", 86400),
    ("week wk wks", "second", 604800),
    ("fortnight", "second", 1209600),
    ("month", "month", 1),
    ("year yr yrs", "month", 12),
    ("decade", "month", 120),
    ("century centuries", "month", 1200),
    ("inch in inches", "metre", Fraction(254, 10000)),
    ("foot ft feet", "metre", Fraction(3048, 10000)),
    ("yard yd yds", "metre", Fraction(9144, 10000)),
    ("mile mi", "metre", Fraction(1609344, 1000)),
    ("pound lb lbs", "gram", Fraction(45359237, 100000)),
    ("ounce oz", "gram", Fraction(45359237, 1600000)),
    ("ton", "~ton", 1),
    ("tonne", "gram", 10**6),
    ("gallon gal gals", "gallon", 1),
    ("quart qt qts", "gallon", Fraction(1, 4)),
    ("pint pt pts", "gallon", Fraction(1, 8)),
    ("cup", "gallon", Fraction(1, 16)),
    ("tablespoon tbsp", "gallon", Fraction(1, 256)),
    ("teaspoon tsp", "gallon", Fraction(1, 768)),
    ("hectare ha", "hectare", 1),
    ("acre", "acre", 1),
    ("dollar usd buck us$", "dollar", 1),
    ("cent ¢", "dollar", Fraction(1, 100)),
    ("euro eur €", "euro", 1),
    ("gbp £ quid", "pound sterling", 1),
    ("pence", "pound sterling", Fraction(1, 100)),
    ("yen jpy ¥", "yen", 1),
    ("rupee inr ₹ rs", "rupee", 1),
    ("yuan rmb cny", "yuan", 1),
    ("percent % percentage pct", "percent", 1),
    ("degree deg °", "degree", 1),
    ("radian rad rads", "radian", 1),
    ("kelvin", "kelvin", 1),
    ("celsius", "celsius", 1),
    ("fahrenheit", "fahrenheit", 1),
    ("dozen", "", 12),
)
_COMPOUND = {
    "mph": (("metre", 1), ("second", -1), Fraction(1609344, 3600000)),
    "kph": (("metre", 1), ("second", -1), Fraction(1000, 3600)),
    "kmh": (("metre", 1), ("second", -1), Fraction(1000, 3600)),
    "kmph": (("metre", 1), ("second", -1), Fraction(1000, 3600)),
}
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_AFTER = {"squared": 2, "cubed": 3}
#: Says nothing of what is counted.
_EMPTY = frozenset([
    "a", "an", "the", "of", "total", "altogether", "each", "approximately", "about",
    "exactly", "whole", "units", "unit", "only", "remaining", "away", "old", "long", "wide", "high", "tall", "deep",
    *_SIDES,
])  # fmt: skip
#: Reads as no unit: it belongs to a formula or a sentence.
_NEVER = frozenset([
    "or", "and", "if", "when", "where", "is", "are", "not", "no", "sin", "cos", "tan", "log", "ln", "exp", "sqrt",
    "pi", "mod", "cot", "sec", "csc", "for", "all", "any", "then", "so", "plus", "minus", "times", "divided", "by",
    "over", "equals", "squared", "cubed", "infinity", "to",
])  # fmt: skip


def _table() -> dict[str, tuple[str, Fraction]]:
    table: dict[str, tuple[str, Fraction]] = {}
    for symbol, base in _BASES.items():
        table[symbol] = (base, Fraction(1))
        for prefix, power in _METRIC.items():
            table.setdefault(prefix + symbol, (base, Fraction(10) ** power))
    for word, base in _BASE_WORDS.items():
        table[word] = (base, Fraction(1))
        for prefix, power in _METRIC_WORDS.items():
            table[prefix + word] = (base, Fraction(10) ** power)
    for names, base, factor in _OTHERS:
        for name in names.split():
            table[name] = (base, Fraction(factor))
    table["kilo"] = table["kilos"] = ("gram", Fraction(1000))
    return table


_UNITS = _table()
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[°%€£¥₹¢$]")
_WORD_OR_POWER = re.compile(rf"{_WORD.pattern}|\^-?\d")
_BRACES = str.maketrans("", "", "{}")


def known(word: str) -> bool:
    """Whether it is the name or sign of a unit of measure or a currency."""
    return _named(word) is not None


def _named(word: str) -> tuple[str, Fraction] | None:
    for form in (word, word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("es")):
        if form in _UNITS:
            return _UNITS[form]
    return None


def unit_of(tokens: Sequence[FormulaToken]) -> Unit | None:
    """The unit that `tokens` name; None where they are none. A unit without dimensions is none at all."""
    words = _words(tokens)
    if not words:
        return None
    if [word.lower() for word in words[-2:]] in (["in", "total"], ["in", "all"]):
        words = words[:-2]
    if len(words) > 1 and words[0].lower() in ("us", "american") and words[1].lower() in ("dollar", "dollars", "cents"):
        words = words[1:]
    bases: dict[str, int] = {}
    nouns: list[str] = []
    factor, sign, power = Fraction(1), 1, 1
    for index, word in enumerate(words):
        lower = word.lower()
        if lower in _NEVER:
            return None
        if lower in ("/", "per") or (lower in ("a", "an") and bases and index + 1 < len(words)):
            sign = -1  # 60 miles an hour
        elif lower in _POWERS:
            power = _POWERS[lower]
        elif word[0] != "^" and lower not in _EMPTY and lower not in _AFTER and lower not in ("*", "-"):
            exponent = sign * power * _exponent(words[index + 1 : index + 2])
            factor *= _add(bases, nouns, word, exponent)
            power = 1
    if nouns:
        bases[f"~{' '.join(sorted(nouns))}"] = 1
    sides = {_SIDES[word.lower()] for word in words if word.lower() in _SIDES}
    side = sides.pop() if len(sides) == 1 else ""
    return Unit(tuple(sorted((base, count) for base, count in bases.items() if count)), factor, side)


def _add(bases: dict[str, int], nouns: list[str], word: str, exponent: int) -> Fraction:
    """Count one word's unit in; its factor."""
    lower = word.lower()
    if lower in _COMPOUND:
        over, under, factor = _COMPOUND[lower]
        for base, count in (over, under):
            bases[base] = bases.get(base, 0) + count * exponent
        return factor**exponent
    if lower in ("c", "f") and "degree" in bases:
        del bases["degree"]
        bases["celsius" if lower == "c" else "fahrenheit"] = 1
        return Fraction(1)
    if lower in ("celsius", "fahrenheit") and "degree" in bases:
        del bases["degree"]
    named = _named(word)
    if named is None or nouns:
        nouns.append(_singular(lower) if exponent == 1 else f"{_singular(lower)}^{exponent}")
        return Fraction(1)
    base, factor = named
    if base == "litre":
        base, factor, exponent = "metre", (factor / 1000) ** exponent, 3 * exponent
    else:
        factor = factor**exponent
    if base:
        bases[base] = bases.get(base, 0) + exponent
    return factor


def _exponent(after: Sequence[str]) -> int:
    if not after:
        return 1
    if after[0][0] == "^":
        return int(after[0][1:])
    return _AFTER.get(after[0].lower(), 1)


def _singular(word: str) -> str:
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss"), ("ss", "ss")):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    irregular = {"people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse"}
    irregular |= {"feet": "foot", "geese": "goose", "teeth": "tooth", "fish": "fish", "dice": "die"}
    return irregular.get(word, word.removesuffix("s") if len(word) > 3 else word)


def _words(tokens: Sequence[FormulaToken]) -> list[str] | None:
    """The words, signs and exponents ("^2"); None where something else is among them."""
    words: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token.kind == "text":
            words += _WORD_OR_POWER.findall(token.text.replace("/", " per ").translate(_BRACES))
        elif token.kind == "name" or token.among("%", "°", "/", "-", "€", "£", "¥", "¢", "₹", "*"):
            words.append(token.text)
        elif token.among(r"\%", r"\$", r"\cdot", r"\mu"):
            words.append({r"\%": "%", r"\$": "dollar", r"\cdot": "*", r"\mu": "µ"}[token.text])
        elif token.among("^") and words:
            exponent, place = _power(tokens, place)
            if exponent is None:
                return None
            words.append(f"^{exponent}")
        elif not token.among("."):
            return None
    return words


def _power(tokens: Sequence[FormulaToken], place: int) -> tuple[int | None, int]:
    texts = [token.text for token in tokens[place : place + 4]]
    for length, digits in ((1, texts[:1]), (3, texts[1:2]), (4, texts[1:3])):
        written = "".join(digits)
        if re.fullmatch(r"-?\d", written) and (length == 1 or (texts[0] == "{" and texts[length - 1] == "}")):
            return int(written), place + length
    return None, place
