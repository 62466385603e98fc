"""What callers name jobs and places by: checked before Redis sees it.

A name becomes part of keys and commands; what we have never given out is refused here, whatever its size or alphabet.
"""

from __future__ import annotations

import re

from ssr.core.errors import InvalidRequest, NotFound, echoed

#: As we make them, and as whoever makes them with other tools might: no braces, which are Redis Cluster's hash tags.
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CURSOR = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_MAX_PART = 2**64 - 1


def check_job_id(job_id: str) -> None:
    """Raises: InvalidRequest where there is none; NotFound for what is no job's id."""
    if not job_id:
        raise InvalidRequest("job_id", "is empty")
    if not is_identifier(job_id):
        raise no_job(job_id)


def is_identifier(name: str) -> bool:
    """Whether it may be one that we made."""
    return _JOB_ID.fullmatch(name) is not None


def no_job(job_id: str) -> NotFound:
    """The error for a job that is not there, and just so for one that is not shown to the caller."""
    return NotFound(f"job_id: there is no job {echoed(job_id)}, or it has expired")


def check_cursor(cursor: str) -> None:
    """A cursor is the id of an entry of a stream, two numbers of 64 bits; "" is none. Raises: InvalidRequest."""
    if not cursor:
        return
    found = _CURSOR.fullmatch(cursor)
    parts = [] if found is None else [int(part) for part in found.groups()]
    if not parts or max(parts) > _MAX_PART or min(parts) == _MAX_PART:  # behind the last of all there is nothing
        raise InvalidRequest("cursor", f"{echoed(cursor)} is no cursor; send one from an event, or none")
