"""What goes wrong again and again is reported once, and then now and then."""

from __future__ import annotations

import asyncio
import logging

from ssr.core.errors import SsrError

#: How often something that lasts is reported, in seconds.
_EVERY_S = 30.0


class ThrottledLog:
    """One thing that may go wrong, reported in `log` as "`what`: the error"."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what = log, what
        self._reported: type[SsrError] | None = None
        self._report_at = 0.0
        self._lasts = False

    def report(self, error: SsrError) -> None:
        """It goes wrong: reported when another kind of error begins, otherwise now and then."""
        now = asyncio.get_running_loop().time()
        if type(error) is not self._reported or now >= self._report_at:
            self._log.warning("%s: %s", self._what, error)
            self._reported, self._report_at, self._lasts = type(error), now + _EVERY_S, True

    def over(self) -> bool:
        """It goes well; whether it was reported that it did not."""
        lasted, self._lasts = self._lasts, False
        return lasted
