"""What goes wrong again and again is told once, and then now and then."""

from __future__ import annotations

import asyncio
import logging

from ssr.core.errors import SsrError

#: How often something that lasts is told of, in seconds.
_EVERY_S = 30.0


class ThrottledLog:
    """One thing that may go wrong, told of in `log` as "`what`: the error"."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what = log, what
        self._told: type[SsrError] | None = None
        self._tell_at = 0.0
        self._lasts = False

    def tell(self, error: SsrError) -> None:
        """It goes wrong: told when another kind of error begins, otherwise now and then, though it comes and goes."""
        now = asyncio.get_running_loop().time()
        if type(error) is not self._told or now >= self._tell_at:
            self._log.warning("%s: %s", self._what, error)
            self._told, self._tell_at, self._lasts = type(error), now + _EVERY_S, True

    def over(self) -> bool:
        """It goes well; whether it was told that it did not."""
        lasted, self._lasts = self._lasts, False
        return lasted
