"""Errors as label values: few, and the same everywhere."""

from __future__ import annotations

from ssr.core import errors

_OTHER = "failed"
#: Most special first.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (errors.Overloaded, "overloaded"),
    (errors.Unavailable, "unavailable"),
    (errors.TimedOut, "timed_out"),
    (errors.Conflict, "conflict"),
    (errors.BadReply, "bad_reply"),
    (errors.InvalidRequest, "invalid"),
    (errors.ContextFull, "context_full"),
    (errors.Permanent, "refused"),
)


#: All that `reason_of` can say: counters by reason have each from the start, so that a rate sees the first error.
REASONS = (*(reason for _, reason in _REASONS), _OTHER)


def reason_of(error: BaseException) -> str:
    """The kind of an error; "failed" for what is none of ours."""
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), _OTHER)
