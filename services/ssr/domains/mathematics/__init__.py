"""Mathematics: the answer in a box, compared as mathematics; the strategy set is the request's or the server's."""

from __future__ import annotations

from ssr.core.domain import Domain

DOMAIN = Domain("mathematics")
