"""A moment in the past, as options give it: "90s", "30m", "24h", "7d", or a time of ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ssr.core.errors import InvalidRequest, echoed

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(since: str, now: datetime) -> datetime:
    """In UTC; a time without a zone is in UTC too. Raises: InvalidRequest."""
    if ago := _AGO.fullmatch(since):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise InvalidRequest("since", f"{echoed(since)} is before the year 1") from None
    try:
        when = datetime.fromisoformat(since)
    except ValueError:
        raise InvalidRequest(
            "since", f"{echoed(since)} is neither a duration such as 90s, 30m, 24h or 7d nor a time such as 2026-05-01"
        ) from None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
