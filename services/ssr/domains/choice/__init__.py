"""Multiple choice, as in science questions: the answer is the letter of a choice."""

from __future__ import annotations

from ssr.core.domain import Domain
from ssr.domains.choice.letter import same_choice
from ssr.domains.folder import prompts_of, strategies_of

DOMAIN = Domain("choice", prompts_of(__name__), strategies_of(__name__), compare=same_choice)
