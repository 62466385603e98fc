"""How many requests are in the house: TGI refuses the one too many at once, it never lets it wait."""

from __future__ import annotations

from ssr.engine_server.server.errors import OVERLOADED, RefusalError


class Permits:
    """At most `limit` requests at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def __enter__(self) -> None:
        """Take a permit, held while the block runs. Raises the 429 refusal when all are taken."""
        if self._taken >= self._limit:
            raise RefusalError(OVERLOADED)
        self._taken += 1

    def __exit__(self, *exc: object) -> None:
        self._taken -= 1
