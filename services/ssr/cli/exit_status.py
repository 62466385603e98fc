"""The exit status of `ssr`, and what it prints when something is wrong."""

from __future__ import annotations

import sys
from enum import IntEnum

from ssr.core.errors import (
    Conflict,
    ContextFull,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    SsrError,
    Unauthenticated,
)
from ssr.core.job import Job, JobStatus

#: Errors that the caller can mend in the command itself.
_BAD_INPUT = (InvalidRequest, ContextFull, Unauthenticated, PermissionDenied, NotFound, Conflict)


class ExitStatus(IntEnum):
    """The exit statuses of all commands."""

    DONE = 0
    FAILURE = 1
    BAD_INPUT = 2
    NO_ANSWER = 3
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of_error(cls, error: SsrError) -> ExitStatus:
        return cls.BAD_INPUT if isinstance(error, _BAD_INPUT) else cls.FAILURE

    @classmethod
    def of_job(cls, job: Job) -> ExitStatus:
        """Of a finished job."""
        match job.status:
            case JobStatus.ANSWERED:
                return cls.DONE
            case JobStatus.PARTIAL:
                return cls.DONE if job.answer else cls.NO_ANSWER
            case JobStatus.NO_ANSWER:
                return cls.NO_ANSWER
        return cls.FAILURE


def print_error(message: str) -> None:
    """Say on standard error what is wrong: one line, unless the message shows a log."""
    print(f"error: {message.strip()}", file=sys.stderr)  # noqa: T201 - the command's own output
