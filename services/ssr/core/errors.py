"""Every failure SSR reports on purpose.

    SsrError
    ├── Permanent                 trying again does not help
    │   ├── InvalidRequest        a field of the request is out of its limits (INVALID_ARGUMENT)
    │   ├── ContextFull           a path no longer fits the model's context (OUT_OF_RANGE)
    │   ├── Unauthenticated       the call has no API key, or one that is not good (UNAUTHENTICATED)
    │   ├── PermissionDenied      the caller may not do this in another's name (PERMISSION_DENIED)
    │   ├── NotFound              unknown job, model, strategy set (NOT_FOUND)
    │   ├── Conflict              a job id or key already means something else (ALREADY_EXISTS)
    │   ├── CapabilityMissing     the engine cannot do what is asked (FAILED_PRECONDITION)
    │   ├── StaleOwner            another owner runs this job now; our write was refused (ABORTED)
    │   ├── LostGround            the journal has lost a decision; load it again and go on (ABORTED)
    │   └── BadReply              an engine answered something that is not its API (INTERNAL)
    └── Retryable                 the same request may succeed later; `delay_s` says when
        ├── Overloaded            no room now (RESOURCE_EXHAUSTED with RetryInfo)
        ├── Unavailable           a service, engine or Redis cannot be reached (UNAVAILABLE)
        └── TimedOut              the answer did not come within its limit (DEADLINE_EXCEEDED)

The message is for the person who made the call: it names the field or thing, the limit, and what to do.
"""

from __future__ import annotations


class SsrError(Exception):
    """Base of all errors SSR raises on purpose."""


class Permanent(SsrError):
    """Trying the same again does not help."""


class InvalidRequest(Permanent):
    """A field of the request is outside its limits.

    `field` is the field's name as the caller wrote it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class ContextFull(Permanent):
    """The path no longer fits the model's context: it cannot grow further."""


class Unauthenticated(Permanent):
    """Who calls is not known: there is no API key, or one that is not good."""


class PermissionDenied(Permanent):
    """Who calls is known, and may not do this."""


class NotFound(Permanent):
    """The named thing does not exist."""


class Conflict(Permanent):
    """The name is taken by something else."""


class CapabilityMissing(Permanent):
    """The engine cannot do what is asked of it."""


class StaleOwner(Permanent):
    """The job has a newer owner: nothing was written, and this owner must stop."""


class LostGround(Permanent):
    """The journal lacks a decision that this run has made durable: Redis failed over and lost it.

    Nothing was written. The same write cannot succeed; whoever runs the job loads the journal again and goes on.
    """


class BadReply(Permanent):
    """An engine's reply is not what its API promises."""


class Retryable(SsrError):
    """The same request may succeed later, `delay_s` seconds from now."""

    def __init__(self, message: str, delay_s: float = 1.0) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class Overloaded(Retryable):
    """There is no room for the request now."""


class Unavailable(Retryable):
    """A service, an engine or Redis cannot be reached."""


class TimedOut(Retryable):
    """The answer did not come within its limit."""
