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
        │   └── NoEngine          an engine pool has no ready replica: waiting for one is no fault of the call
        └── TimedOut              the answer did not come within its limit (DEADLINE_EXCEEDED)

The message is for the person who made the call: it names the field or thing, the limit, and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import ParamSpec, Self

from ssr.core.allowance import Allowance

#: Of what somebody sent, a message shows at most so many characters.
MAX_ECHO_CHARS = 100

Arguments = ParamSpec("Arguments")


def echoed(text: str) -> str:
    """What somebody sent as a message shows it: in quotes, and without its end where it is long."""
    return repr(text) if len(text) <= MAX_ECHO_CHARS else f"{text[:MAX_ECHO_CHARS]!r}..."


def plain(value: float) -> str:
    """A number as people write it: 20000 and 0.00001, not 2e+04 and 1e-05."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if value and not 1e-9 <= abs(value) < 1e15:
        return f"{value:g}"
    return format(Decimal(repr(value)).normalize(), "f")


class SsrError(Exception):
    """Base of all errors SSR raises on purpose."""

    @property
    def public(self) -> str:
        """The message as a caller of the API may see it: nothing of how and where the system runs."""
        return str(self)


class Permanent(SsrError):
    """Trying the same again does not help."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request: the field's name as the caller wrote it, and its limit."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class InvalidRequest(Permanent):
    """Fields of the request are outside their limits.

    `violations` has all that are wrong, at least one; `field` is the first one's.
    """

    def __init__(self, field: str, message: str, *more: Violation) -> None:
        self.violations = (Violation(field, message), *more)
        super().__init__("; ".join(map(str, self.violations)))

    @property
    def field(self) -> str:
        return self.violations[0].field

    @classmethod
    def of(cls, violations: Sequence[Violation]) -> InvalidRequest:
        """The error of all these violations."""
        first, *more = violations
        return InvalidRequest(first.field, first.message, *more)


class Violations:
    """Gathers what a block's checks refuse; where that is anything, the block ends with one InvalidRequest of all.

    with Violations() as gather:
        gather(check_problem, problem)
        gather(check_key, key)
    """

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None and self._found:
            raise InvalidRequest.of(self._found)

    def __call__(self, check: Callable[Arguments, object], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Make one check; what it refuses is raised at the block's end."""
        try:
            check(*args, **kwargs)
        except InvalidRequest as error:
            self._found += error.violations


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
    """There is no room for the request now; `used_up` is the limit of the caller's that it is for, if it is one."""

    def __init__(self, message: str, delay_s: float = 1.0, used_up: Allowance | None = None) -> None:
        super().__init__(message, delay_s)
        self.used_up = used_up


class Unavailable(Retryable):
    """A service, an engine or Redis cannot be reached."""


class NoEngine(Unavailable):
    """No replica of an engine pool can be reached: there is none, or none that takes connections."""


class TimedOut(Retryable):
    """The answer did not come within its limit."""


def single_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to report of errors that come out of a group of tasks.

    The error itself where there is one, the first where all of them are ours, otherwise the whole group.
    """
    _, others = group.split(SsrError)
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup) and (others is None or len(first.exceptions) == 1):
        first = first.exceptions[0]
    return group if isinstance(first, BaseExceptionGroup) else first
