"""A step's text as tokens of arithmetic: numbers, signs, brackets, words, and what ends a clause.

Plain text, Markdown and LaTeX are read alike. Everything that has no plain numeric meaning is `OTHER`, and what it
stands in is never decided: a false alarm costs a rewrite, a miss is left to the other scorer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from fractions import Fraction

#: Of a number; longer ones are not read.
MAX_DIGITS = 20
#: Of a line; longer ones are prose or a runaway generation.
MAX_LINE_CHARS = 1000


class Kind(Enum):
    """What a token is."""

    NUMBER = auto()
    SIGN = auto()  #: + - * / ^ or %, or ! for a factorial
    OPEN = auto()
    CLOSE = auto()
    FRACTION = auto()
    ROOT = auto()
    WORD = auto()
    EQUALS = auto()
    RELATION = auto()  #: any other: below, about, follows
    BREAK = auto()  #: ends a clause
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`glued`: no blank before it. `money`: a number with a currency sign. `start`, `stop`: where it is in its line."""

    kind: Kind
    text: str
    glued: bool
    start: int
    stop: int
    money: bool = False


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\(?:begin|end)\{[^{}\n]{0,40}\}(?:\{[^{}\n]{0,40}\})?|\\\\(?:\[[^\]\n]{0,20}\])?(?![A-Za-z])", "\n"),
        (r"(?<=\d)(?:\{,\}|\\[,!]\s?)(?=\d{3}(?!\d))", ","),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?|&", ""),
        (r"\\[()\[\],;:! ]|\\q?quad(?![A-Za-z])|[~`\u00a0\u202f\u2009]", " "),
        (r"\\(?:text(?:rm|bf|it|normal)?|math(?:rm|bf|it)|mbox|operatorname)\s?\{([^{}\n]{0,120})\}", r" \1 "),
        (r"\\f?boxed(?![A-Za-z])", ""),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\\$", "$"),
        (r"\\%|\bper ?cent\b", "%"),
        (r"(?<=[\d)])\*\*(?=[\d(-])", "^"),
        (r"\*\*+|__+", " "),
        (r"\\(?:times|cdot|ast)(?![A-Za-z])|\\\*|[×·⋅∗•]", "*"),
        (r"(?<=[\d)])(\s*)[xX](?=\s*[$(\d])", r"\1*"),
        (r"\\div(?![A-Za-z])|÷", "/"),
        (r"[\u2212\u2010\u2011\u2013]", "-"),
        (r"√", r"\\sqrt"),
        (r"([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})", r"^\1"),
    )
)
#: Marks of a list or a heading at the beginning of a line.
_MARKS = re.compile(r"^(?:[\s>]|#{1,6} |[-*+] |\(?(?:\d{1,2}|[a-zA-Z])[.)](?=\s)|(?:Step|STEP) \d{1,2}\s?[.:)-])+")
_TOKEN = re.compile(
    r"(?P<number>(?<![\d.,])(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?|(?<![\w.])\.\d+)"
    r"|(?P<relation>[-+*/:!<>=~^]=+|==+|=[<>~]|[-=]+>|<+|>+|[≈≃≅≠≤≥→⇒⟹≡∼]"
    r"|\\(?:approx|simeq|cong|sim|neq?|leq?|geq?|lt|gt|to|rightarrow|Rightarrow|implies|iff|equiv|Longrightarrow)(?![A-Za-z]))"
    r"|(?P<equals>=)"
    r"|(?P<fraction>\\frac(?![A-Za-z]))|(?P<root>\\sqrt(?![A-Za-z]))"
    r"|(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)"
    r"|(?P<factorial>!(?=\s*(?:[-+*/^=)\]}]|\\times|\\cdot)))"
    r"|(?P<sign>[-+*/^%])|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<money>[$€£])"
    r"|(?P<stop>[.,:](?=\s|$)|\.{2,}|…|[;?!|\"“”—])"
    r"|(?P<other>\\[A-Za-z]+|\S)"
)
_KINDS = {
    "number": Kind.NUMBER,
    "relation": Kind.RELATION,
    "equals": Kind.EQUALS,
    "fraction": Kind.FRACTION,
    "root": Kind.ROOT,
    "word": Kind.WORD,
    "factorial": Kind.SIGN,
    "sign": Kind.SIGN,
    "open": Kind.OPEN,
    "close": Kind.CLOSE,
    "stop": Kind.BREAK,
    "other": Kind.OTHER,
}
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def lines(text: str) -> Iterator[str]:
    """The lines of a step in plain spelling; one that goes on with the line before is joined to it."""
    for pattern, plain in _REWRITES:
        text = pattern.sub(plain, text)
    held, before = "", ""
    for raw in text.translate(_SUPERSCRIPTS).splitlines():
        line = raw.strip()
        if held and line and (line[0] == "=" or held[-1] in "=+-*/"):
            held = f"{held} {line}"
            continue
        if held:
            yield held
        held = f"§ {line}" if _may_go_on(before, line) else _MARKS.sub("", line)
        before = line
    if held:
        yield held


def _may_go_on(before: str, line: str) -> bool:
    """Whether the sign that begins `line` may be one of a calculation, and not a list's: "§" keeps it undecided."""
    mark = line[:2]
    return (
        mark in ("+ ", "- ", "* ") and before[:2] != mark and "=" not in before and before[-1:] in set("0123456789)}%")
    )


def number(text: str) -> tuple[Fraction, int]:
    """A number token's value, and how many decimals it is written with."""
    plain = text.replace(",", "")
    return Fraction(plain if plain[0] != "." else f"0{plain}"), len(plain.partition(".")[2])


def clauses(line: str) -> Iterator[list[Token]]:
    """The line's tokens between one break and the next; brackets that are open at a relation are breaks themselves."""
    if len(line) > MAX_LINE_CHARS or "=" not in line:
        return
    clause: list[Token] = []
    for token in _broken(list(_tokens(line))):
        if token.kind is Kind.BREAK:
            if clause:
                yield clause
            clause = []
        else:
            clause.append(token)
    if clause:
        yield clause


def _tokens(line: str) -> Iterator[Token]:
    end, money = 0, False
    for match in _TOKEN.finditer(line):
        name = match.lastgroup or "other"
        if name == "money":
            money = True
            continue
        kind, glued = _KINDS[name], match.start() == end and end > 0
        if name == "number" and (sum(map(str.isdigit, match[0])) > MAX_DIGITS or _runs_on(line, match)):
            kind = Kind.OTHER
        yield Token(kind, match[0], glued, match.start(), match.end(), money and kind is Kind.NUMBER)
        end, money = match.end(), False


def _runs_on(line: str, match: re.Match[str]) -> bool:
    """Whether the digits are a part of something else: a time, a list, a version, a name."""
    before, after = line[max(0, match.start() - 2) : match.start()], line[match.end() : match.end() + 2]
    return (before[-1:] in ("_", "#") or (before[-1:] in (":", ",", ".") and before[:1].isalnum())) or (
        after[:1] in (":", ",", ".", "_") and after[1:].isalnum()
    )


def _broken(tokens: list[Token]) -> list[Token]:
    """Brackets without a partner, or with a relation between them, become breaks."""
    open_at: list[int] = []
    cut: set[int] = set()
    partner: dict[int, int] = {}
    for at, token in enumerate(tokens):
        if token.kind is Kind.OPEN:
            open_at.append(at)
        elif token.kind is Kind.CLOSE:
            if open_at and _PAIRS[tokens[open_at[-1]].text] == token.text:
                partner[open_at.pop()] = at
            else:
                cut.add(at)
        elif token.kind in (Kind.EQUALS, Kind.RELATION, Kind.BREAK):
            cut.update(open_at)
    cut.update(open_at)
    cut.update(partner[at] for at in list(cut) if at in partner)
    return [replace(token, kind=Kind.BREAK) if at in cut else token for at, token in enumerate(tokens)]
