"""The equations that a step claims between numbers, and whether one of them is false.

False means: false in every reading of its notation, with decimals taken as possibly rounded and the result as possibly
cut off, and not explained by a change of units. What is not purely numeric is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

from ssr.verifier.arithmetic.algebra import differ
from ssr.verifier.arithmetic.expression import (
    Applied,
    Irrational,
    Number,
    Operation,
    Reading,
    Span,
    Tree,
    Undecided,
    span,
)
from ssr.verifier.arithmetic.parser import NoExpression, Parser
from ssr.verifier.arithmetic.tokens import Kind, Token, clauses, lines
from ssr.verifier.arithmetic.units import (
    DOUBTFUL,
    convertible,
    is_conversion,
    is_label,
    may_follow,
    may_precede,
    mixed,
)

#: Of a step; what comes after is not looked at.
MAX_CHARS = 6000
MAX_CLAIMS = 60
_READINGS = tuple(Reading(*flags) for flags in product((False, True), repeat=2))


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an equation. `trees`: what it may mean, by where it may begin and end."""

    trees: tuple[Tree, ...]
    units: tuple[str, ...]
    calculates: bool
    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """That two sides are equal."""

    left: Side
    right: Side

    def __str__(self) -> str:
        return f"{self.left.text} = {self.right.text}"


def false_claim(step: str) -> Claim | None:
    """The first false equation of the step."""
    return next((claim for claim in claims(step) if is_false(claim)), None)


def needs_algebra(step: str) -> bool:
    """Whether deciding the step may take sympy: milliseconds, not microseconds."""
    return "sqrt" in step or "√" in step or "^" in step


def claims(step: str) -> Iterator[Claim]:
    """The equations that are numeric on both sides, with a calculation on at least one of them."""
    if "=" not in step:
        return
    found = 0
    if len(step) > MAX_CHARS:
        step = step[:MAX_CHARS].rpartition("\n")[0]  # not within a number
    for line in lines(step):
        for clause in clauses(line):
            for claim in _claims(clause, line):
                yield claim
                found += 1
                if found == MAX_CLAIMS:
                    return


def _claims(clause: Sequence[Token], line: str) -> Iterator[Claim]:
    if any(token.kind is Kind.WORD and _doubts(token.text) for token in clause):
        return
    marks = [at for at, token in enumerate(clause) if token.kind in (Kind.EQUALS, Kind.RELATION)]
    for begin, at, end in zip([-1, *marks], marks, [*marks[1:], len(clause)], strict=False):
        if clause[at].kind is not Kind.EQUALS:
            continue
        left = _left(clause[begin + 1 : at], line)
        right = _right(clause[at + 1 : end], line, goes_on=end < len(clause)) if left else None
        if left and right and (left.calculates or right.calculates):
            yield Claim(left, right)


def _doubts(word: str) -> bool:
    return word.casefold() in DOUBTFUL or word.endswith(("n't", "n’t"))


def _left(tokens: Sequence[Token], line: str) -> Side | None:
    """The expression that ends at an equals sign, the longest that words before it let begin."""
    for begin in range(len(tokens)):
        if not _may_begin(tokens, begin):
            continue
        parser = Parser(tokens, begin)
        try:
            tree = parser.expression()
        except NoExpression:
            continue
        if parser.at == len(tokens):
            return _side(tokens[begin:], parser, (tree, *_after_label(tokens, begin)), line)
    return None


def _right(tokens: Sequence[Token], line: str, *, goes_on: bool) -> Side | None:
    """The expression that begins at an equals sign, and ends where words follow.

    `goes_on`: another relation follows; `16 - 3 = 13 - 4 = 9` then means 13 by its middle.
    """
    parser = Parser(tokens)
    try:
        tree = parser.expression()
    except NoExpression:
        return None
    rest = tokens[parser.at :]
    if rest and not _may_end(rest):
        return None
    trees = [tree, _first_number(tree)] if goes_on else [tree]
    side = _side(tokens[: parser.at], parser, tuple(trees), line)
    return replace(side, units=(*side.units, *(token.text for token in rest[:3] if token.kind is Kind.WORD)))


def _side(tokens: Sequence[Token], parser: Parser, trees: tuple[Tree, ...], line: str) -> Side:
    return Side(trees, tuple(parser.units), parser.operations > 0, line[tokens[0].start : tokens[-1].stop])


def _first_number(tree: Tree) -> Tree:
    while isinstance(tree, Operation):
        tree = tree.left
    return tree


def _may_begin(tokens: Sequence[Token], at: int) -> bool:
    """Whether an expression can begin there: it is not the rest of a longer one."""
    if at == 0:
        return True
    before = tokens[at - 1]
    sign = tokens[at].kind is Kind.SIGN
    if sign and not (at + 1 < len(tokens) and tokens[at + 1].glued and not tokens[at].glued):
        return False  # "eggs - 3" goes on with what words name; "is -3" does not
    compound = at > 1 and tokens[at - 2].kind is Kind.NUMBER and convertible([before.text])  # 5 feet 3
    return before.kind is Kind.WORD and may_precede(before.text) and not tokens[at].glued and not compound


def _may_end(rest: Sequence[Token]) -> bool:
    """Whether what follows the expression leaves its value alone: words, with no number soon after."""
    first, *after = rest
    if first.kind is Kind.OPEN:
        return bool(after) and after[0].kind is Kind.WORD and not first.glued and may_follow(after[0].text)
    if first.kind is not Kind.WORD:
        return False
    if any(token.kind in (Kind.NUMBER, Kind.FRACTION, Kind.SIGN, Kind.OTHER) for token in after[:2]):
        return False
    if first.glued and len(first.text) < 3 and not convertible([first.text]):
        return False
    return may_follow(first.text) or (first.text == "and" and bool(after))


def _after_label(tokens: Sequence[Token], begin: int) -> tuple[Tree, ...]:
    """`Day 1 - 5 + 3` may be a label, a dash, and `5 + 3`."""
    if begin == 0 or not is_label(tokens[begin - 1].text) or len(tokens) < begin + 3 or tokens[begin + 1].text != "-":
        return ()
    parser = Parser(tokens, begin + 2)
    try:
        tree = parser.expression()
    except NoExpression:
        return ()
    return (tree,) if parser.at == len(tokens) else ()


def is_false(claim: Claim) -> bool:
    """Whether the claim holds in no reading."""
    units = (*claim.left.units, *claim.right.units)
    if mixed(units):
        return False
    for left, right in product(claim.left.trees, claim.right.trees):
        for one, other in product(_READINGS, _READINGS):
            try:
                if _may_hold(left, right, one, other, units):
                    return False
            except Undecided:
                return False
    return True


def _may_hold(left: Tree, right: Tree, one: Reading, other: Reading, units: Sequence[str]) -> bool:
    try:
        a, b = span(left, one), span(right, other)
    except Irrational:
        return not differ(left, one, right, other, _last_digit(left, one) + _last_digit(right, other))
    if a == b or is_conversion(a.low, b.low, units):
        return True
    a_step, b_step = _cut_off(left, one, b.low), _cut_off(right, other, a.low)
    try:
        return _wide(left, one, a_step).meets(_wide(right, other, b_step))
    except Irrational:
        return False


def _wide(tree: Tree, reading: Reading, step: Fraction) -> Span:
    value = span(tree, reading, slack=not step)
    return Span(value.low - step, value.high + step)


def _cut_off(tree: Tree, reading: Reading, exact: Fraction) -> Fraction:
    """How far a lone decimal may be from the `exact` value, rounded or cut off; 0 if its decimals are enough for it."""
    digit = _last_digit(tree, reading)
    return Fraction(0) if digit and (exact / digit).denominator == 1 else digit


def _last_digit(tree: Tree, reading: Reading) -> Fraction:
    """What one is in the last decimal of a lone number; 0 for a whole number but a percentage, and a calculation."""
    if isinstance(tree, Applied) and tree.function == "minus":
        return _last_digit(tree.argument, reading)
    if isinstance(tree, Applied) and tree.function == "%" and isinstance(tree.argument, Number):
        step = Fraction(1, 10**tree.argument.decimals)
        return step if reading.percent_plain else step / 100
    return Fraction(1, 10**tree.decimals) if isinstance(tree, Number) and tree.decimals else Fraction(0)
