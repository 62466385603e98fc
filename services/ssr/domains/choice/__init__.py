"""Multiple choice, as in science questions: the answer is the letter of a choice.

"B", "(b)", "B. 12 m/s" and "Option B" are the same choice.
"""

from __future__ import annotations

import re

from ssr.core.domain import Domain
from ssr.domains.folder import prompts_of, strategies_of

_TEXT = re.compile(r"\\(?:text(?:rm|bf|it)?|math(?:rm|bf)|mbox)\s?\{([^{}]*)\}")
_LETTER = re.compile(r"(?:(?:option|choice|answer)\s+)?\(?([A-Za-z])(?:\)|[.:,](?=\s|$)|\s*$)", re.IGNORECASE)


def letter(answer: str) -> str | None:
    """The letter; None where the answer names none ("12 m/s", "A + B")."""
    plain = _TEXT.sub(r"\1", answer).strip().strip("$ ").strip()
    found = _LETTER.match(plain)
    return found[1].upper() if found else None


async def same_choice(a: str, b: str, tests: str) -> bool | None:
    """None where one of them names no letter: it may be a choice's text."""
    first, second = letter(a), letter(b)
    return None if first is None or second is None else first == second


DOMAIN = Domain("choice", prompts_of(__name__), strategies_of(__name__), compare=same_choice)
