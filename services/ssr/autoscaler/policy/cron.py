"""Times in crontab's notation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5


class Cron:
    """Five fields, as in a crontab: minute, hour, day of month, month, day of week. Raises: CronSimError."""

    def __init__(self, text: str) -> None:
        if len(text.split()) != _FIELDS:
            raise CronSimError(f"Has {len(text.split())} fields instead of {_FIELDS}")
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
        self._text = text

    def latest(self, at: float, zone: ZoneInfo) -> float | None:
        """The last match up to `at` (inclusive), both in seconds since the epoch; None if there never was one."""
        # Backwards, the search begins before the time it is given.
        start = datetime.fromtimestamp(int(at), zone) + timedelta(seconds=1)
        match = next(CronSim(self._text, start, reverse=True), None)
        return None if match is None else match.timestamp()
