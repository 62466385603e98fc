r"""A number and its unit, in SI: `9.8\,\text{m/s}^2`, `1.2e3 J`, `25 °C`, `3.0 \times 10^8 m s^{-1}`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

#: Relative difference of values that are the same: answers are rounded, and constants have few digits.
TOLERANCE = 0.01

#: Exponents of m, kg, s, A, K, mol, cd.
Dimension = tuple[int, ...]
_ONE: Dimension = (0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value in SI units. `dimension` None: no unit was written."""

    value: float
    dimension: Dimension | None


def _of(m: int = 0, kg: int = 0, s: int = 0, a: int = 0, k: int = 0, mol: int = 0, cd: int = 0) -> Dimension:
    return (m, kg, s, a, k, mol, cd)


#: Unit -> (in SI, dimension). Those of `_PREFIXED` take prefixes.
_UNITS: dict[str, tuple[float, Dimension]] = {
    "m": (1, _of(m=1)), "g": (1e-3, _of(kg=1)), "s": (1, _of(s=1)), "A": (1, _of(a=1)), "K": (1, _of(k=1)),
    "mol": (1, _of(mol=1)), "cd": (1, _of(cd=1)), "N": (1, _of(1, 1, -2)), "J": (1, _of(2, 1, -2)),
    "W": (1, _of(2, 1, -3)), "Pa": (1, _of(-1, 1, -2)), "Hz": (1, _of(s=-1)), "C": (1, _of(s=1, a=1)),
    "V": (1, _of(2, 1, -3, -1)), "ohm": (1, _of(2, 1, -3, -2)), "F": (1, _of(-2, -1, 4, 2)),
    "T": (1, _of(0, 1, -2, -1)), "H": (1, _of(2, 1, -2, -2)), "Wb": (1, _of(2, 1, -2, -1)), "L": (1e-3, _of(m=3)),
    "l": (1e-3, _of(m=3)), "eV": (1.602176634e-19, _of(2, 1, -2)), "cal": (4.184, _of(2, 1, -2)),
    "M": (1e3, _of(m=-3, mol=1)), "bar": (1e5, _of(-1, 1, -2)),
    "min": (60, _of(s=1)), "h": (3600, _of(s=1)), "hr": (3600, _of(s=1)), "day": (86400, _of(s=1)),
    "year": (31557600, _of(s=1)), "atm": (101325, _of(-1, 1, -2)), "mmHg": (133.322, _of(-1, 1, -2)),
    "torr": (133.322, _of(-1, 1, -2)), "inch": (0.0254, _of(m=1)), "ft": (0.3048, _of(m=1)),
    "mile": (1609.344, _of(m=1)), "mi": (1609.344, _of(m=1)), "lb": (0.45359237, _of(kg=1)), "t": (1e3, _of(kg=1)),
    "ton": (1e3, _of(kg=1)), "rad": (1, _ONE), "deg": (math.pi / 180, _ONE), "percent": (0.01, _ONE),
    "mph": (0.44704, _of(m=1, s=-1)), "u": (1.66053907e-27, _of(kg=1)),
}  # fmt: skip
_PREFIXED = frozenset(
    [
        "m",
        "g",
        "s",
        "A",
        "K",
        "mol",
        "cd",
        "N",
        "J",
        "W",
        "Pa",
        "Hz",
        "C",
        "V",
        "ohm",
        "F",
        "T",
        "H",
        "Wb",
        "L",
        "l",
        "eV",
        "cal",
        "M",
        "bar",
    ]
)
_PREFIXES = {
    "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9,
    "p": 1e-12, "f": 1e-15,
}  # fmt: skip
_WORDS = {
    "meter": "m", "metre": "m", "gram": "g", "second": "s", "sec": "s", "ampere": "A", "amp": "A", "kelvin": "K",
    "mole": "mol", "newton": "N", "joule": "J", "watt": "W", "pascal": "Pa", "hertz": "Hz", "coulomb": "C",
    "volt": "V", "farad": "F", "tesla": "T", "henry": "H", "weber": "Wb", "liter": "L", "litre": "L", "hour": "h",
    "minute": "min", "foot": "ft", "feet": "ft", "inche": "inch", "in": "inch", "pound": "lb", "radian": "rad",
    "degree": "deg", "calorie": "cal",
}  # fmt: skip
_WORD_PREFIXES = {"kilo": "k", "centi": "c", "milli": "m", "micro": "u", "nano": "n", "mega": "M", "giga": "G"}

_SPELLINGS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\(?:text|mathrm|mbox|operatorname|textrm)\s?\{([^{}]*)\}", r" \1 "),
        (r"\\(?:,|;|:|!| )|~|\$|\\left|\\right", " "),
        (r"\{,\}|(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"\\(?:times|cdot)|[×·⋅]", "*"),
        (r"\\frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}", r"(\1)/(\2)"),
        (r"\\(?:Omega|ohm)|Ω|Ω", "ohm"),
        (r"\\mu|µ|μ", "u"),
        (r"(?:\^\s?\{?\\circ\}?|°|\\degree)\s?C(?![a-z])", " celsius"),
        (r"\^\s?\{?\\circ\}?|°|\\degree", " deg"),
        (r"\\?%", " percent"),
        (r"[−–]", "-"),
        (r"²", "^2"),
        (r"³", "^3"),
        (r"⁻¹", "^-1"),
        (r"\^\s?\{([^{}]*)\}", r"^\1"),
        (r"\bper\b", "/"),
    )
)
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?:\*\s*10\s*\^\s*([+-]?\d+))?")
_RATIO = re.compile(r"\s*\(?([+-]?\d+(?:\.\d+)?)\)?\s*/\s*\(?(\d+(?:\.\d+)?)\)?")
_PART = re.compile(r"\s*([*/])?\s*(\(?)([A-Za-z]+)\s*(?:\^?\s*([+-]?\d+))?(\)?)")


def quantity(answer: str) -> Measurement | None:
    """The answer as a quantity; None where it is none."""
    text = answer.rpartition("=")[2]
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    ratio, found = _RATIO.match(text), _NUMBER.match(text)
    if ratio and float(ratio[2]):
        value, rest = float(ratio[1]) / float(ratio[2]), text[ratio.end() :]
    elif found:
        value, rest = float(found[1]) * 10.0 ** int(found[2] or 0), text[found.end() :]
    else:
        return None
    if rest.strip(" .") == "celsius":
        return Measurement(value + 273.15, _of(k=1))
    unit = _unit(rest.strip(" ."))
    return None if unit is None else Measurement(value * unit[0], unit[1])


async def same_quantity(a: str, b: str, tests: str) -> bool | None:
    """None where one of them is no quantity; a unit that was left out is the other's."""
    first, second = quantity(a), quantity(b)
    if first is None or second is None:
        return None
    if first.dimension is None or second.dimension is None:
        bare = quantity(re.split(r"[A-Za-z\\°%]", a if second.dimension is None else b, maxsplit=1)[0] or "x")
        other = second if second.dimension is None else first
        return None if bare is None else _near(bare.value, other.value)
    return first.dimension == second.dimension and _near(first.value, second.value)


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=0.0) or a == b


def _unit(text: str) -> tuple[float, Dimension | None] | None:
    """Factor and dimension of a product of units; (1, None) without one; None where it cannot be read."""
    if not text:
        return 1.0, None
    factor, dimension, at, below = 1.0, list(_ONE), 0, False
    while at < len(text):
        part = _PART.match(text, at)
        known = part and _base(part[3])
        if part is None or known is None:
            return None
        power = int(part[4] or 1) * (-1 if part[1] == "/" or below else 1)
        below = (below or (part[1] == "/" and bool(part[2]))) and not part[5]
        factor *= known[0] ** power
        dimension = [total + power * one for total, one in zip(dimension, known[1], strict=True)]
        at = part.end()
    return factor, tuple(dimension)


def _base(name: str) -> tuple[float, Dimension] | None:
    """One unit, with its prefix."""
    if name in _UNITS:
        return _UNITS[name]
    if name[:1] in _PREFIXES and name[1:] in _PREFIXED:
        factor, dimension = _UNITS[name[1:]]
        return _PREFIXES[name[0]] * factor, dimension
    word = name.casefold().removesuffix("s")
    for prefix, letter in _WORD_PREFIXES.items():
        if word.startswith(prefix) and word.removeprefix(prefix) in _WORDS:
            return _base(letter + _WORDS[word.removeprefix(prefix)])
    plain = _WORDS.get(word, word)
    return _UNITS.get(plain)
