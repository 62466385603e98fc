"""Short answers in words: names, dates, yes or no, results of logic puzzles."""

from __future__ import annotations

from ssr.core.domain import Domain
from ssr.domains.folder import prompts_of, strategies_of
from ssr.domains.short_text.words import same_words

DOMAIN = Domain("short-text", prompts_of(__name__), strategies_of(__name__), compare=same_words)
