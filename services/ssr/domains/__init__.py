"""The domains that come with SSR, one folder each: prompts, strategies, how answers are found, compared and verified.

Another distribution adds one by an entry point in the group `ssr.domains`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ssr.core.domain import Domain
from ssr.core.errors import InvalidRequest, echoed
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.domains import choice, code, mathematics, quantities, short_text

#: Of requests that name none.
DEFAULT = mathematics.DOMAIN.name

_OURS: Mapping[str, Domain] = {
    one.name: one for one in (mathematics.DOMAIN, choice.DOMAIN, short_text.DOMAIN, quantities.DOMAIN, code.DOMAIN)
}


def domain_names() -> tuple[str, ...]:
    """Ours first."""
    return (*_OURS, *(name for name in found_methods(MethodKind.DOMAIN) if name not in _OURS))


@cache
def domain_named(name: str) -> Domain:
    """The domain; "" is mathematics. Raises: InvalidRequest naming the known ones."""
    if not name or name in _OURS:
        return _OURS[name or DEFAULT]
    if name not in found_methods(MethodKind.DOMAIN):
        raise InvalidRequest("domain", f"{echoed(name)} is unknown; known are {', '.join(domain_names())}")
    domain = method_named(MethodKind.DOMAIN, name)
    if not isinstance(domain, Domain):
        raise InvalidRequest("domain", f"{name} is no ssr.core.domain.Domain")
    return domain
