r"""What an answer looks like says nothing: colours, fonts, boxes inside it, older commands, equations below each other.

All patterns are linear in the length of an answer.
"""

from __future__ import annotations

import re

_INDEX = r"(?:\{([^{}]{1,20})\}|(\w))"
_GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*+\})*+\})*+\})*+)\}"
_WRAPPED = re.compile(
    r"\\(?:boxed|fbox|framebox|underline|bm|boldsymbol|bold|pmb|emph"
    rf"|(?:text)?color\s?\{{[^{{}}]*+\}}|colorbox\s?\{{[^{{}}]*+\}})\s?{_GROUP}"
)
_DECLARED = re.compile(
    r"\\(?:bf|it|sf|tt|sc|sl|bfseries|itshape|sffamily|ttfamily|rmfamily|normalfont|normalsize|tiny|scriptsize"
    r"|footnotesize|small|large|Large|LARGE|huge|Huge|centering|color\s?\{[^{}]*+\})(?![A-Za-z])\s?"
)
_STACKED = re.compile(
    r"(?:(?:\\left)?\s?\\\{)?\s*\\begin\{(?P<kind>cases|aligned|align\*?|gathered|gather\*?|array|split|dcases)\}(?:\{[lcr]*\})?"
    r"(?P<rows>.*?)\\end\{(?P=kind)\}(?:\s*\\right\s?\.)?",
    re.DOTALL,
)
_EQUATION = re.compile(r"[^=<>]*(?:=|<|>|\\[lgn]eq?(?![A-Za-z]))[^=<>]+")
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")
_LINE_END = re.compile(rf"{_ROW_END.pattern}|\n|\\q?quad(?![A-Za-z])")
_AND = re.compile(r"\\(?:text|mbox|mathrm)\s?\{[^{}]*\}|,|;|\b(?:and|or)\b|\\(?:land|lor|wedge|vee)(?![A-Za-z])")

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\{\s?\\rm\s+([^{}\\]*)\}|\\rm\s?\{([^{}\\]*)\}|\\rm\s+([A-Za-z][A-Za-z /]*)$"), r"\\text{\1\2\3}"),
    (_DECLARED, ""),
    (re.compile(r"\{([^{}]*?)\\over(?![A-Za-z])([^{}]*+)\}"), r"\\frac{\1}{\2}"),
    (re.compile(r"^([^=,{}]*?)\\over(?![A-Za-z])([^=,{}]*)$"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\root\s?\{?\s?(\w{1,4})\s?\}?\s?\\of(?![A-Za-z])"), r"\\sqrt[\1]"),
    (re.compile(r"\\surd(?![A-Za-z])"), "√"),
    (re.compile(r"\\(?:s|nice|x|flat)frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\([RZNQ])(?![A-Za-z])"), r"\\mathbb{\1}"),
    (re.compile(r"(^|\\in\s?)\\mathbf\s?\{R\}"), r"\1\\mathbb{R}"),
    (re.compile(r"\\lbrack(?![A-Za-z])"), "["),
    (re.compile(r"\\rbrack(?![A-Za-z])"), "]"),
    (re.compile(r"\\lparen(?![A-Za-z])"), "("),
    (re.compile(r"\\rparen(?![A-Za-z])"), ")"),
    (re.compile(r"\\big(cup|cap)(?![A-Za-z])"), r"\\\1 "),
    (re.compile(r"\\smallsetminus(?![A-Za-z])"), r"\\setminus "),
    (re.compile(r"\\colon(?![A-Za-z])|\{:\}"), ":"),
    (re.compile(r"(?<![A-Za-z])\{\\\$\}"), r"\\$"),
    (re.compile(r"\\cents?(?![A-Za-z])"), "¢"),
    (re.compile(r"^\s*(?:\\(?:therefore|implies|Longrightarrow|Rightarrow|iff|to)(?![A-Za-z])|∴)\s*(?=\S)"), ""),
    (re.compile(r":=|=="), "="),
    (re.compile(r"\\pmatrix\s?\{([^{}]*)\}"), r"\\begin{pmatrix}\1\\end{pmatrix}"),
    (re.compile(r"\\cr(?![A-Za-z])"), r"\\\\"),
    (re.compile(r"matrix\*\}(?:\[[lcr]\])?"), "matrix}"),
    (re.compile(r"(?<=[\w)\]}])\*\*(?=[\w({.-])"), "^"),
    (re.compile(r"(?<=[\d)])\s?[xX]\s?(?=10\s?\^)"), r"\\times "),
    (re.compile(r"\+\s?/\s?-|(?:^|(?<==))\s*\+-(?=\s?\d)"), r"\\pm "),
    (re.compile(r"(?<![A-Za-z\\])log(\d{1,3})\s?(?=\()"), r"\\log_{\1}"),
    (re.compile(rf"(?:\{{\}}\s?|\^|(?<![\w)}}]))[_^]?\s?{_INDEX}\s?C_\s?{_INDEX}"), r"\\binom{\1\2}{\3\4}"),
    (re.compile(r"(?<![\w.])(\d{1,4})\s?C\s?(\d{1,4})(?!\w)"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?<![A-Za-z])C\(([^(),]{1,20}),([^(),]{1,20})\)"), r"\\binom{\1}{\2}"),
    (re.compile(r"(?<=\d),\{\}(?=\d{3})"), ","),
)  # fmt: skip
_INNER_DOLLARS = re.compile(r"(?<!\\)\$(?=[^\s$])([^$]*[^\s$\\])\$(?!\d)")
_QUOTED = re.compile(r"[\"“”]([^\"“”]+)[\"“”]\.?")


def without_inner_dollars(text: str) -> str:
    """`text` without the delimiters of mathematics among words: `$25$ apples`, but not $5 and $6."""
    return _INNER_DOLLARS.sub(r"\1", text)


def without_layout(text: str) -> str:
    """`text` without what only says how it looks; older commands as today's, rows of equations as a list."""
    if quoted := _QUOTED.fullmatch(text):
        text = quoted[1]
    for _ in range(3):
        text = _WRAPPED.sub(_unwrapped, text)
    text = _listed(_STACKED.sub(_in_a_row, text))
    for pattern, instead in _REWRITES:
        text = pattern.sub(instead, text)
    return text


def _unwrapped(match: re.Match[str]) -> str:
    inner = match[1].strip()
    return inner if match[0] == match.string or not re.search(r"[-+,=]", inner) else f"{{{inner}}}"


def _in_a_row(match: re.Match[str]) -> str:
    """Equations below each other; what has columns is a matrix or a function in pieces, and stays."""
    rows = [row.replace("&=", "=").replace("=&", "=").strip(" ,\n") for row in _ROW_END.split(match["rows"])]
    rows = [row for row in rows if row]
    return match[0] if any("&" in row or not _EQUATION.fullmatch(row) for row in rows) else ", ".join(rows)


def _listed(text: str) -> str:
    """Equations on lines of their own, or far apart, with commas between them; without a line's end at the end."""
    text = text.rstrip()
    while text.endswith("\\\\"):
        text = text.removesuffix("\\\\").rstrip()
    if "\\begin" in text:
        return text
    parts = [part.strip(" ,;") for part in _LINE_END.split(text)]
    parts = [part for part in parts if part]
    apart = len(parts) > 1 and all(_EQUATION.fullmatch(part) and not _AND.search(part) for part in parts)
    return ", ".join(parts) if apart else text
