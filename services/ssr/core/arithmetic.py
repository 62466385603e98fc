"""The equations between numbers that a step states, and the first of them that is false.

False means: false in every reading, with decimals taken as rounded and quotients as possibly whole. What is not plainly
an equation of numbers (other symbols, different units in a sum, words that change a value) is passed over: a missed
error costs what it does without this check, a right step that is rejected costs a rewrite.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from typing import NamedTuple

from ssr.core.steps import BOUNDARY

MAX_CHARS = 6000  #: of a step; what comes after is not looked at
_MAX_SIDE = 200  #: characters of one side of an equation
_MAX_DIGITS = 18
_MAX_EXPONENT = 20

#: From LaTeX and typography to plain signs, in this order.
_PLAIN = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\boxed\s*\{([^{}]*)\}", r"\1"),
        (r"(?<=\d)\{?,\}?(?=\d{3}(?!\d))", ""),
        (r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}", r" ((\1)/(\2))"),
        (r"(?<=\d)\*\*(?=\d)|\^\{(?=\d+\})", "^"),
        (r"(?<=\^)(\d+)\}", r"\1"),
        (r"\\(?:times|cdot)(?![a-z])|[×·]|(?<=\d) x (?=[\d$(])", "*"),
        (r"\\div(?![a-z])|÷", "/"),
        (r"[−–]", "-"),
        (r"\\(?:left|right)(?![a-z])|\\(?=[%$])|\*\*", ""),
        (r"\\[,;!: ]|&|\$(?!\s*\d)", " "),
        (r"(?:\s|\\\\){1,20}+(?==)|(?<=[-+*/^(=])\s+", " "),
        (r"\\[()\[\]]|\\\\|[;?]|[.,:](?=\s|$)", "\n"),
    )
)
# All quantifiers are possessive: no text makes the search go back and forth.
_WORD = r"[A-Za-z]++(?:[/'’-][A-Za-z]++)*+"
_UNITS = rf"(?:\s*+{_WORD}){{0,4}}+"
_QUANTITY = rf"(?P<money>\$?+)\s*+(?P<number>\d++(?:\.\d++)?+)\s*+(?P<percent>%?+)(?P<units>{_UNITS})"
_ATOM = rf"(?:\s*+\()*+\s*+-?+{re.sub('[?]P<[a-z]+>', '?:', _QUANTITY)}(?:\s*+\){_UNITS})*+"
_EXPRESSION = rf"{_ATOM}(?:\s*+[-+*/^]{_ATOM})*+"
_LEFT = re.compile(rf"(?:^|(?P<before>(?:\d\s*)?{_WORD})\s)\s*(?P<expression>(?!\s*-){_EXPRESSION})\s*$")
_RIGHT = re.compile(rf"(?P<expression>{_EXPRESSION})\s*(?:$|(?=[A-Za-z]))(?!.{{0,20}}\d)")
_WHOLE = re.compile(rf"(?P<expression>{_EXPRESSION})\s*$")
_TERM = re.compile(_QUANTITY)

_DOUBT = re.compile(r"n['’]t|\b(?:not|wrong|false|incorrect|instead|suppose|mod|remainder|r|base|choose)\b", re.I)
#: Before an expression these make it a part of another, and right after a number they change it.
_BINDING = re.compile(
    r"(?:\d.*|.|of|times|plus|minus|over|by|divided|multiplied|and|than|less|more|to|half|third|quarter|root|squared|cubed"
    r"|hundred|thousand|million|billion|dozen|percent|am|pm)"
)
_LABEL = re.compile("day|step|part|week|month|year|question|problem|page|number|option|case|equation")
_CONVERTIBLE = re.compile(
    r"\$|cent|dollar|penny|nickel|dime|quarter|second|min|minute|hr|hour|day|week|month|year|(?:milli|centi|kilo)?meter"
    r"|[mck]m|foot|feet|ft|inche?|in|yard|mile|k?g|(?:kilo)?gram|ounce|pound|lb|ton|m?l|liter|gallon|quart|pint|cup|pair"
    r"|ten|one|hundred"
)
_FACTORS = frozenset(map(Fraction, (3, 7, 12, 16, 24, 30, 36, 52, 60, 100, 365, 1000, 2000, 3600, 5280)))


_OWN_ARITHMETIC = re.compile(
    r"\b(?:operations?|operator|modulo|congruent|(?:in|to|from) base)\b"
    r"|\\(?:[pb]?mod|star|oplus|otimes|circ)\b|\d_\{?\d",
    re.IGNORECASE,
)


class Value(NamedTuple):
    """The least and the most that an expression may be."""

    low: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation."""

    text: str
    values: tuple[Value, ...]  #: with 1 % as 0.01, and as 1
    first: Fraction  #: the first number in it
    digits: tuple[Fraction, ...]  #: of a lone number: what one is in its last place, as `values`
    units: tuple[frozenset[str], ...]  #: the words after each number
    signs: str


@dataclass(frozen=True, slots=True)
class Equation:
    """That two sides are equal. `goes_on`: another equals sign follows."""

    left: Side
    right: Side
    goes_on: bool

    def __str__(self) -> str:
        return f"{self.left.text} = {self.right.text}"


def false_claim(step: str) -> Equation | None:
    """The first false equation of the step."""
    return next((claim for claim in claims(step) if _is_false(claim)), None)


def has_own_arithmetic(problem: str) -> bool:
    """Whether the problem has an arithmetic of its own: a new operation, remainders, another base."""
    return bool(_OWN_ARITHMETIC.search(problem))


def false_sum(text: str, problem: str = "") -> str:
    """The first false equation of a whole path, "" without one or where the problem has an arithmetic of its own.

    Evidence that costs nothing: on recorded paths of a 0.5B and a 1.5B model, 437 of the 450 paths with one are wrong,
    and every fifth wrong path has one.
    """
    if "=" not in text or has_own_arithmetic(problem):
        return ""
    return next((str(claim) for step in text.split(BOUNDARY) if (claim := false_claim(step))), "")


def claims(step: str) -> Iterator[Equation]:
    """The equations with numbers on both sides and a calculation on one of them."""
    if len(step) > MAX_CHARS:
        step = step[:MAX_CHARS].rpartition("\n")[0]  # not within a number
    if "=" not in step or _DOUBT.search(step):
        return
    for pattern, text in _PLAIN:
        step = pattern.sub(text, step)
    for line in step.split("\n"):
        parts = line.split("=")
        for at, (left, right) in enumerate(pairwise(parts)):
            one = _left(left, after_equals=at > 0)
            other = _side(_RIGHT.match(right[:_MAX_SIDE])) if one else None
            if one and other and (one.signs or (other.signs and not one.units)):
                yield Equation(one, other, at + 2 < len(parts))


def _left(text: str, *, after_equals: bool) -> Side | None:
    """The expression that ends the text, where the words before it let it begin."""
    if after_equals and (whole := _side(_WHOLE.match(text[:_MAX_SIDE]))):
        return whole
    found = _LEFT.search(text[-_MAX_SIDE:].partition(" ")[2] if len(text) > _MAX_SIDE else text)
    before = (found["before"] or "").casefold() if found else ""
    return None if before and (_BINDING.fullmatch(before) or _LABEL.fullmatch(before)) else _side(found)


def _side(found: re.Match[str] | None) -> Side | None:
    """None where it has no value that can be computed cheaply."""
    text = found["expression"] if found else ""
    terms = list(_TERM.finditer(text))
    if not terms or any(_changes(term) or len(term["number"]) > _MAX_DIGITS for term in terms):
        return None
    if re.search(r"\)\s*[A-Za-z](?![A-Za-z])", text):
        return None  # (3/4)x
    bare = iter(range(len(terms)))
    code = re.sub(_WORD, "", _TERM.sub(lambda _: str(next(bare)), text)).replace("^", "**").strip()
    signs = re.sub(r"[^-+*/]", "", re.sub(r"(^|[-+*/(])\s*-", r"\1", code))
    try:
        tree = ast.parse(code, mode="eval").body
        values = tuple(_value(tree, [_literal(term, percent, bool(signs)) for term in terms]) for percent in (100, 1))
    except (SyntaxError, ArithmeticError, ValueError, RecursionError, MemoryError):
        return None
    lone = terms[0]
    digits = () if signs else tuple(_last_digit(lone, percent) for percent in (100, 1))
    units = [*(term["units"].casefold() for term in terms), *("$" for term in terms if term["money"])]
    names = tuple(frozenset(word.rstrip("s") for word in unit.split()) for unit in units if unit)
    return Side(text.strip(), values, Fraction(lone["number"]), digits, names, signs)


def _changes(term: re.Match[str]) -> bool:
    """Whether the word after a number is no unit, but a variable or a part of the number."""
    word = re.match(r"(\s*)(\S*)", term["units"])
    return bool(word and word[2] and (_BINDING.fullmatch(word[2].casefold()) or (not word[1] and len(word[2]) < 3)))


def _last_digit(term: re.Match[str], percent: int) -> Fraction:
    return Fraction(1, 10 ** len(term["number"].partition(".")[2])) / (percent if term["percent"] else 1)


def _literal(term: re.Match[str], percent: int, rounded: bool) -> Value:
    """A number of a calculation with decimals may be rounded."""
    value, digit = Fraction(term["number"]) / (percent if term["percent"] else 1), _last_digit(term, percent)
    decimals = len(term["number"].partition(".")[2])
    slack = digit / 2 if rounded and (decimals > 1 or (decimals and len(term["number"]) > 3)) else Fraction(0)
    return Value(value - slack, value + slack)


def _value(node: ast.expr, literals: Sequence[Value]) -> Value:
    """Raises: ArithmeticError (division by zero), ValueError where it is none of the four operations and powers."""
    match node:
        case ast.Constant(value=int(at)):
            return literals[at]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as one):
            low, high = _value(one, literals)
            return Value(-high, -low)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, literals), _value(right, literals)
            match op:
                case ast.Add():
                    return Value(a.low + b.low, a.high + b.high)
                case ast.Sub():
                    return Value(a.low - b.high, a.high - b.low)
                case ast.Div() if b.low > 0 or b.high < 0:
                    return _product(a, Value(1 / b.high, 1 / b.low))
                case ast.Mult():
                    return _product(a, b)
                case ast.Pow() if a.low == a.high and b.low in range(_MAX_EXPONENT) and isinstance(right, ast.Constant):
                    return Value(a.low ** int(b.low), a.low ** int(b.low))
    raise ValueError(node)


def _product(a: Value, b: Value) -> Value:
    ends = [one * other for one in a for other in b]
    return Value(min(ends), max(ends))


def _is_false(claim: Equation) -> bool:
    """Whether the claim holds in no reading; not if units or a percentage may explain the difference."""
    units = {*claim.left.units, *claim.right.units}
    convertible = {word for unit in units for word in unit if _CONVERTIBLE.fullmatch(word)}
    sums = re.search("[-+]", claim.left.signs + claim.right.signs)
    if sums and (any(not one & other for one, other in combinations(units, 2)) or "%" in str(claim)):
        return False
    return len(convertible) < 2 and not any(_holds(claim, reading, bool(convertible)) for reading in (0, 1))


def _holds(claim: Equation, reading: int, convertible: bool) -> bool:
    left, right = claim.left.values[reading], claim.right.values[reading]
    if claim.goes_on and left.low <= claim.right.first <= left.high:
        return True  # 16 - 3 = 13 - 4 = 9
    if convertible and right.low and left.low and {left.low / right.low, right.low / left.low} & _FACTORS:
        return True
    gap = max(left.low - right.high, right.low - left.high)
    return gap <= 0 or gap < _near(claim.right, reading, claim.left) or gap < _near(claim.left, reading, claim.right)


def _near(lone: Side, reading: int, other: Side) -> Fraction:
    """How far a lone number may be from the other side, rounded or cut off; nothing if its digits suffice for it."""
    if not lone.digits or (lone.digits[reading] == 1 and "/" not in other.signs):
        return Fraction(0)
    value, digit = other.values[reading], lone.digits[reading]
    exact = value.low == value.high and (value.low / digit).denominator == 1
    return Fraction(0) if exact else digit
