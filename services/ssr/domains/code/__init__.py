"""Programs: the answer is Python code; what it does in the caller's tests decides what is the same, and right."""

from __future__ import annotations

from ssr.core.domain import Domain
from ssr.domains.code.program import extract, passes, same_behaviour
from ssr.domains.folder import prompts_of, strategies_of

DOMAIN = Domain("code", prompts_of(__name__), strategies_of(__name__), extract, same_behaviour, passes)
