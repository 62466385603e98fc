"""A job: one problem on its way to an answer, and the events that report it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ssr.core.allowance import Allowance
from ssr.core.ledger import Usage
from ssr.core.run import Decision, Path
from ssr.core.types import Options
from ssr.core.vote import Vote


class Priority(StrEnum):
    """Which jobs go first."""

    INTERACTIVE = "interactive"  #: somebody is waiting
    BATCH = "batch"  #: when there is room; never starved


#: The tenant of those who do not say who they are.
DEFAULT_TENANT = "default"


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"  #: every path ended without an answer
    CANCELLED = "cancelled"
    FAILED = "failed"  #: every path failed, or the strategies could not be selected
    PARTIAL = "partial"  #: a deadline or budget ended it with the best answer so far, if any
    PARKED = "parked"  #: its replicas kept dying while they ran it; not tried again
    UNKNOWN = "unknown"  #: one of a newer version

    @property
    def final(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What is asked of a job, with every default filled in.

    `seeded`: whether the caller chose the seed; else it was chosen by chance. `labels`: keys and values, by key.
    """

    problem: str
    options: Options
    priority: Priority = Priority.INTERACTIVE
    labels: tuple[tuple[str, str], ...] = ()
    seeded: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is at one moment.

    `votes`: the winner first; `error`: why it FAILED or is PARKED; `reason`: which limit made it PARTIAL;
    `labels`: keys and values, by key; `cursor`: the last event this state includes; `waiting_for`: the engine pools
    without a ready replica that its paths wait for; `allowances`: what whoever submitted it may still ask for, where
    that has limits, and only in the answer to that.
    """

    job_id: str
    status: JobStatus
    problem: str
    options: Options
    answer: str = ""
    votes: tuple[Vote, ...] = ()
    paths: tuple[Path, ...] = ()
    usage: Usage = Usage()  # noqa: RUF009 - frozen
    error: str = ""
    reason: str = ""
    priority: Priority = Priority.INTERACTIVE
    tenant: str = DEFAULT_TENANT
    labels: tuple[tuple[str, str], ...] = ()
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    cursor: str = ""
    waiting_for: tuple[str, ...] = ()
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The job was accepted."""


@dataclass(frozen=True, slots=True)
class Started:
    """An owner took the job; `epoch` is 1 for the first owner and rises with each."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every job. The job is without its steps: the events before reported them."""

    job: Job


Happening = Queued | Started | Decision | Finished


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job. Watching from `cursor` continues behind it."""

    cursor: str
    job_id: str
    time: datetime
    happening: Happening


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs without their paths, newest first. `next_page_token` is "" on the last page."""

    jobs: tuple[Job, ...]
    next_page_token: str = ""
