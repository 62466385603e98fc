r"""One spelling for LaTeX, Unicode and plain text: what is left means the same and has fewer ways to be written.

Text blocks (`\text{ cm}`, `\mathrm{cm}`) become `⟦ cm⟧`, so that words stay apart from products of variables.
"""

from __future__ import annotations

import re
import unicodedata

from ssr.orchestrator.equivalence.reading.layout import without_inner_dollars, without_layout

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸ", "0123456789+-=()nixy", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙᵢₓ", "0123456789+-=()nix", strict=True))
_VULGAR = re.compile("[¼½¾⅐-⅞↉]")
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‒": "-", "﹣": "-", "－": "-", "‐": "-", "‑": "-",
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "•": r"\cdot ", "∗": "*", "÷": "/", "∕": "/",
    "⁄": "/", "±": r"\pm ", "∓": r"\mp ", "√": "√", "∛": "∛", "∜": "∜", "∞": r"\infty ", "π": r"\pi ", "𝜋": r"\pi ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≡": r"\equiv ",
    "∈": r"\in ", "∪": r"\cup ", "∩": r"\cap ", "∅": r"\emptyset ", "⌀": r"\emptyset ", "ø": r"\emptyset ",
    "Ø": r"\emptyset ", "∖": r"\setminus ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℚ": r"\mathbb{Q}",
    "ℕ": r"\mathbb{N}", "ℂ": r"\mathbb{C}", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "∘": "°", "º": "°", "˚": "°",
    "′": "'", "’": "'", "‘": "'", "″": "''", "“": '"', "”": '"', "…": r"\ldots ", "⋯": r"\ldots ", "ℯ": "e", "ⅇ": "e",
    "ⅈ": "i", "∣": "|", "∥": r"\|", "→": r"\to ", "⇒": r"\Rightarrow ", "⋃": r"\cup ", "∧": r"\wedge ", "∨": r"\vee ",
    "∶": ":", "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "₹": "₹", "µ": "µ", "μ": r"\mu ",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ϵ": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "ν": "nu", "ξ": "xi", "ρ": "rho", "σ": "sigma",
    "τ": "tau", "υ": "upsilon", "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_KEPT = {*_SIGNS, *_SUPERSCRIPTS, *_SUBSCRIPTS}

_TEXT = r"\\(?:text(?:rm|bf|it|sf|tt|normal|up|sc)?|math(?:rm|bf|it|sf|tt|normal|up)|mbox|hbox|textup|operatorname\*?)"
_TEXT_BLOCK = re.compile(rf"{_TEXT}\s?\{{((?:[^{{}}]|\{{(?:[^{{}}]|\{{[^{{}}]*+\}})*+\}})*+)\}}")
#: Functions whose names are upright by hand: \mathrm{ln}.
_FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "lg", "exp", "arcsin", "arccos", "arctan"]
)
_FUNCTIONS |= {"sinh", "cosh", "tanh", "gcd", "lcm"}
_BOLD = re.compile(r"\*\*([^*]++)\*\*|`([^`]++)`")
_OVERLINED = re.compile(r"(\d)[\u0305\u0304](?:(\d)[\u0305\u0304])*+")
_WHOLE_BLOCK = re.compile(r"⟦([^⟧]*[^\W_][^⟧]*)⟧")
_LEAD = re.compile(
    r"(?:the\s)?(?:(?:final|only|real|two)\s)*(?:answer|solution|root|zero)s?(?:\s+(?:is|are)|\s?[:=])\s?[:]?\s?(?=\S)",
    re.IGNORECASE,
)

# `(?<!\\)` keeps off the line break of a matrix: the `\\` of `1 \\ 2` is not a `\` and an escaped blank.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?:left|right|middle)\s?\.(?!\d)"), ""),
    (re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:displaystyle|textstyle|scriptstyle|(?:no)?limits|mathstrut|strut|null|relax)(?![A-Za-z])"), ""),
    (re.compile(r"\\[hv]?phantom\{[^{}]*\}|\\[hv]space\*?\{[^{}]*\}|\\label\{[^{}]*\}|\\tag\*?\{[^{}]*\}"), ""),
    (re.compile(r"(?<=\d)(?:\\[,;:! ]|\{,\}|\{\\,\}|[\u202f\u2009\u2007\xa0~'])(?=\d{3}(?!\d))"), "\ue000"),
    (re.compile(r"\{,\}|\{\\,\}"), ","),
    (re.compile(r"(?<!\\)\\!|[\u200b-\u200d\u2060\ufeff\u00ad]"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;:>]|(?:thinspace|medspace|thickspace|enspace|nobreakspace)(?![A-Za-z]))"), " "),
    (re.compile(r"\\q?quad(?![A-Za-z])|(?<!\\)\\(?=\s)|~"), " "),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\{([^{}\\]*+)\\choose(?![A-Za-z])([^{}]*+)\}"), r"\\binom{\1}{\2}"),
    (re.compile(r"\\[dt]binom(?![A-Za-z])"), r"\\binom"),
    (re.compile(r"\\(?:leqslant|leq|leqq)(?![A-Za-z])|<=|=<"), r"\\le "),
    (re.compile(r"\\(?:geqslant|geq|geqq)(?![A-Za-z])|>="), r"\\ge "),
    (re.compile(r"\\neq(?![A-Za-z])|!=|\\not\s?="), r"\\ne "),
    (re.compile(r"\\lt(?![A-Za-z])"), "<"),
    (re.compile(r"\\gt(?![A-Za-z])"), ">"),
    (re.compile(r"\\(?:varnothing|empty)(?![A-Za-z])"), r"\\emptyset "),
    (re.compile(r"\^\s?(?:\{\s?\\circ\s?\}|\\circ(?![A-Za-z]))|\\(?:text)?degree(?![A-Za-z])"), "°"),
    (re.compile(r"\^\s?(?:\{\s?°\s?\}|°)"), "°"),
    (re.compile(r"\\var(?=epsilon|theta|phi|rho|sigma)"), r"\\"),
    (re.compile(r"\\(?:lvert|rvert|vert)(?![A-Za-z])"), "|"),
    (re.compile(r"\\lbrace(?![A-Za-z])"), r"\\{"),
    (re.compile(r"\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\(?:dots|cdots|dotsc|dotsb)(?![A-Za-z])|(?<=[\d)])\.\.\.+"), r"\\ldots "),
    (re.compile(r"\\mathbb\s?([RZQNC])(?![A-Za-z])"), r"\\mathbb{\1}"),
    (re.compile(r"\\(?:mathord|mathbin|mathopen|mathclose|ensuremath|mathdollar)(?![A-Za-z])"), ""),
    (re.compile(r"\\textdollar(?![A-Za-z])|\\dollar(?![A-Za-z])"), r"\\$"),
    (re.compile(r"\\(?:imath|jmath)(?![A-Za-z])"), "i"),
)  # fmt: skip


_WHERE = r"(?:⟦\s*(?:where|for(?: all| any| every| some)?|with)\s*⟧|(?:where|for(?: all| any| every| some)?|with)\s)"
_AN_INTEGER = r"⟦?(?: ?is)?(?: an?| any)? ?integers?\s*⟧?"
_BOUNDED = r"[a-z]\s*(?:[<>]|\\[lgn]e(?![a-z])|\\in(?![a-z]))"
_BLOCK_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=\d)\s?\^\s?\{?\s?(?:o|⟦o⟧)\s?\}?(?![A-Za-z])"), "°"),
    (re.compile(r"(?<=\d)\s?\^\s?\{?\s?⟦?(st|nd|rd|th)⟧?\s?\}?(?![A-Za-z])"), r"\1"),
    (re.compile(r"⟦\s*(hundred|thousand|million|billion|trillion)\b\s*⟧"), r" \1 "),
    (re.compile(r"⟦\s*(hundred|thousand|million|billion|trillion)\b"), r" \1 ⟦"),
    (re.compile(r"\\frac\s?\{\s?⟦([^⟧]*)⟧\s?\}\s?\{\s?⟦([^⟧]*)⟧\s?\}"), r"⟦ \1/\2⟧"),
    (re.compile(r"(?<=\d)\s?\(⟦([^⟧]*)⟧\)$"), r"⟦ \1⟧"),
    (re.compile(r"(?<=\d)\s\(([A-Za-z][A-Za-z ]+)\)$"), r" \1"),
    (re.compile(r"(?<![A-Za-z\\])(?:inf|oo|Infinity)(?![A-Za-z])"), r"\\infty "),
    # Open ends of intervals as some countries write them: ]0,1[.
    (re.compile(r"(^|\\in\s?|\\cup\s?)\](?=[^()\[\]]*[,;])"), r"\1("),
    (re.compile(r"([,;][^()\[\],;]*)\[(?=\s*$|\s*\\cup)"), r"\1)"),
    (re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])"), r"\\cup "),
    # What is said of the variables beside: real ones, and integers that number the answers.
    (re.compile(rf"(?:[,;]|{_WHERE})\s*[a-zA-Z]\s*\\in\s?\\mathbb\{{R\}}$"), ""),
    (re.compile(r"^[a-z]\s*\\in\s?\\mathbb\{R\}\s*[,;:]\s*(?=\S)"), ""),
    (re.compile(rf"(?:[,;]|{_WHERE})\s*[klmn]\s*\\in\s?\\mathbb\{{[ZN]\}}$"), ""),
    (re.compile(rf"[,;]?\s*{_WHERE}\s*(?:[klmn]|⟦[^⟧]*⟧)\s*(?:[klmn]\s*)?{_AN_INTEGER}$"), ""),
    (re.compile(rf"^⟦?\s*(?:for )?all(?: real)?(?: numbers?)?\s*⟧?\s*(?={_BOUNDED})"), ""),
    (re.compile(r"(?<=\.)(\d)\s?⟦?\s?(?:repeating|recurring)⟧?$"), r"\\overline{\1}"),
    (re.compile(r"^m\s?(?=\\angle(?![A-Za-z]))"), ""),
)  # fmt: skip


def plain(answer: str) -> str:
    """`answer` without delimiters, sizing and spacing commands, and in LaTeX's commands where Unicode has its signs."""
    text = without_layout(undelimited(without_inner_dollars(_ascii(answer))))
    for pattern, instead in _REWRITES:
        text = pattern.sub(instead, text)
    text = text.replace("\ue000", "")
    text = _BOLD.sub(lambda bold: bold[1] or bold[2], text)
    text = undelimited(_TEXT_BLOCK.sub(_block, _TEXT_BLOCK.sub(_block, text)))
    if whole := _WHOLE_BLOCK.fullmatch(text):
        text = undelimited(whole[1])
    for pattern, instead in _BLOCK_REWRITES:
        text = pattern.sub(instead, text)
    lead = _LEAD.match(text)
    return " ".join(undelimited(text[lead.end() :] if lead else text).split())


def undelimited(answer: str) -> str:
    r"""`answer` without `$...$`, `\(...\)` or `\[...\]` around it, nor the punctuation after."""
    text, before = answer, None
    while text != before:
        before = text
        text = _unpunctuated(text.strip()).removeprefix("$$")
        if text.startswith("$") and text.count("$") - text.count(r"\$") > 1:
            text = text.removeprefix("$")
        text = text.removeprefix(r"\(").removeprefix(r"\[").removesuffix(r"\)").removesuffix(r"\]")
        if not text.endswith("\\$"):
            text = text.removesuffix("$")
    return text


def _unpunctuated(text: str) -> str:
    if text.endswith(("...", "\\,", "\\;")):
        return text[:-2].rstrip() if text.endswith(("\\,", "\\;")) else text
    bare = text.rstrip(".,; ")
    return text if bare.endswith("\\") else bare


def _block(block: re.Match[str]) -> str:
    """A text block; one that holds mathematics (an upright constant, a number) is that mathematics."""
    inner = block[1].strip()
    if inner in ("i", "e", "d"):
        return f" {inner} "
    if inner in _FUNCTIONS:
        return rf"\{inner} "
    if inner in ("π", "pi", r"\pi"):
        return r"\pi "
    if re.fullmatch(r"[^A-Za-z]*", inner) or "\\" in inner or re.fullmatch(r"[A-Za-z]", inner):
        return block[1] if not re.fullmatch(r"[A-Za-z]", inner) else f"⟦{block[1]}⟧"
    return f"⟦{block[1]}⟧"


def _ascii(text: str) -> str:
    """Unicode's signs as LaTeX's commands."""
    text = _VULGAR.sub(_vulgar, _OVERLINED.sub(_overlined, text))
    out: list[str] = []
    for kind, run in _runs(text):
        if kind:
            out.append(f"{kind}{{{run}}}")
        else:
            out.extend(map(_sign, run))
    return "".join(out)


def _runs(text: str) -> list[tuple[str, str]]:
    """Stretches of superscripts ("^"), subscripts ("_") and others (""), the first two as plain characters."""
    runs: list[tuple[str, str]] = []
    for char in text:
        kind = "^" if char in _SUPERSCRIPTS else "_" if char in _SUBSCRIPTS else ""
        flat = _SUPERSCRIPTS.get(char) or _SUBSCRIPTS.get(char) or char
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1] + flat)
        else:
            runs.append((kind, flat))
    return runs


def _sign(char: str) -> str:
    if char.isascii():
        return char
    if char in _SIGNS:
        return _SIGNS[char]
    if char in _GREEK:
        return rf"\{_GREEK[char]} "
    if char in "\u202f\u2009\u2007\xa0°€£¥₹⟦⟧\u200b\u200c\u200d\u2060\ufeff\u00ad¢":
        return char
    flat = unicodedata.normalize("NFKC", char)
    return "".join(map(_sign, flat)) if flat != char else " " if char.isspace() else char


def _vulgar(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match[0]).partition("⁄")
    return rf"\frac{{{top}}}{{{bottom}}}"


def _overlined(match: re.Match[str]) -> str:
    digits = "".join(char for char in match[0] if char.isdigit())
    return rf"\overline{{{digits}}}"
