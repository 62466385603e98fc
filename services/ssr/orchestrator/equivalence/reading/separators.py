"""What stands between several answers: commas, "and", "or"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ssr.orchestrator.equivalence.reading.tokens import FormulaToken


def outside(tokens: Sequence[FormulaToken]) -> list[FormulaToken]:
    """Those that are in no brackets."""
    found, depth = [], 0
    for token in tokens:
        depth += token.among("(", "[", "{", r"\{", r"\langle") - token.among(")", "]", "}", r"\}", r"\rangle")
        if depth == 0:
            found.append(token)
    return found


def joint(token: FormulaToken) -> str:
    """ "and", "or", or ""."""
    if says(token, "or") or token.among(r"\vee", r"\lor"):
        return "or"
    return "and" if says(token, "and", "&") or token.among(r"\wedge", r"\land") else ""


def separated(tokens: Sequence[FormulaToken]) -> list[FormulaToken]:
    """Commas, "or" and "and" outside brackets as semicolons."""
    out: list[FormulaToken] = []
    depth = 0
    for token in tokens:
        depth += token.among("(", "[", "{", r"\{", r"\langle") - token.among(")", "]", "}", r"\}", r"\rangle")
        parts = token.among(",") or joint(token)
        out.append(FormulaToken("op", ";") if parts and depth == 0 else token)
    return out


def says(token: FormulaToken, *words_: str) -> bool:
    return token.kind in ("text", "name", "cmd") and token.text.strip(" \\,").lower() in words_


def joining(words_: Sequence[str]) -> Literal["", "and", "or"]:
    """The one word that joins parts; "" where there is none, or both are."""
    kinds = set(words_)
    return "and" if kinds == {"and"} else "or" if kinds == {"or"} else ""
