"""What stands between several answers: commas, "and", "or"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, depths


def outside(tokens: Sequence[FormulaToken]) -> list[FormulaToken]:
    """Those that are in no brackets."""
    return [token for token, depth in depths(tokens) if depth == 0]


def joint(token: FormulaToken) -> str:
    """ "and", "or", or ""."""
    if says(token, "or") or token.among(r"\vee", r"\lor"):
        return "or"
    return "and" if says(token, "and", "&") or token.among(r"\wedge", r"\land") else ""


def separated(tokens: Sequence[FormulaToken]) -> list[FormulaToken]:
    """Commas, "or" and "and" outside brackets as semicolons."""
    return [
        FormulaToken("op", ";") if depth == 0 and (token.among(",") or joint(token)) else token
        for token, depth in depths(tokens)
    ]


def says(token: FormulaToken, *words_: str) -> bool:
    return token.kind in ("text", "name", "cmd") and token.text.strip(" \\,").lower() in words_


def joining(words_: Sequence[str]) -> Literal["", "and", "or"]:
    """The one word that joins parts; "" where there is none, or both are."""
    kinds = set(words_)
    return "and" if kinds == {"and"} else "or" if kinds == {"or"} else ""
