"""Many jobs as one object, and what a server reports of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ssr.client.request import SolveOptions
from ssr.core.job import Job, JobStatus, Priority
from ssr.runtime.rpc.job_wire import job_from_wire, reported_status
from ssr.v1 import reasoning_pb2


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One problem of a batch, with options, labels and a priority of its own; None: that of the batch."""

    problem: str
    options: SolveOptions = field(default_factory=SolveOptions)
    labels: Mapping[str, str] = field(default_factory=dict)
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that were made together, as they are now.

    `total` jobs, of which `finished` have ended and `gone` have expired or were deleted; `counts` by status. `jobs` is
    a page of them in the order of the problems, without paths; `next_page_token` is "" on the last page.
    """

    batch_id: str
    tenant: str
    created: datetime
    total: int
    finished: int
    gone: int
    counts: Mapping[JobStatus, int]
    jobs: tuple[Job, ...]
    next_page_token: str = ""

    @property
    def done(self) -> bool:
        return self.finished + self.gone == self.total


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server is and takes; `limits` and `max_total_tokens` (by role: "draft", "target") are numbers by name.

    `provenance` is what stands behind each model, by role, as far as it is known: `step.proto`'s Provenance as texts.
    """

    version: str
    modes: tuple[str, ...]
    stop_rules: tuple[str, ...]
    scorers: tuple[str, ...]
    strategy_sets: tuple[str, ...]
    models: Mapping[str, str]
    max_total_tokens: Mapping[str, int]
    limits: Mapping[str, int]
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    presets: tuple[str, ...] = ()


def batch_from_wire(message: reasoning_pb2.Batch) -> Batch:
    return Batch(
        message.batch_id,
        message.tenant,
        message.created.ToDatetime(tzinfo=UTC),
        message.total,
        message.finished,
        message.gone,
        {reported_status(count.status): count.jobs for count in message.counts},
        tuple(map(job_from_wire, message.jobs)),
        message.next_page_token,
    )


def server_info_from_wire(message: reasoning_pb2.ServerInfo) -> ServerInfo:
    return ServerInfo(
        message.version,
        tuple(message.modes),
        tuple(message.stop_rules),
        tuple(message.scorers),
        tuple(message.strategy_sets),
        {model.role: model.name for model in message.models},
        {model.role: model.max_total_tokens for model in message.models},
        {one.name: getattr(message.limits, one.name) for one in message.limits.DESCRIPTOR.fields},
        {
            model.role: {one.name: getattr(model.provenance, one.name) for one in model.provenance.DESCRIPTOR.fields}
            for model in message.models
        },
        tuple(message.presets),
    )
