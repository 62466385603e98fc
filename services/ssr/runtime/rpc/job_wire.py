"""Messages of proto/ssr/v1/reasoning.proto and the core's jobs and events, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ssr.core.allowance import Allowance
from ssr.core.job import Job, JobRequest, JobStatus, Priority
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import Path
from ssr.core.types import PathStatus
from ssr.core.vote import Vote
from ssr.runtime.rpc.enum_wire import EnumWire
from ssr.runtime.rpc.options_wire import options_from_wire, options_to_wire
from ssr.runtime.rpc.step_wire import (
    step_from_wire,
    step_to_wire,
    strategy_from_wire,
    strategy_to_wire,
)
from ssr.v1 import reasoning_pb2

_JOB_STATUS = EnumWire(reasoning_pb2.JobStatus, "JOB_STATUS")
PRIORITY = EnumWire(reasoning_pb2.Priority, "PRIORITY")
PATH_STATUS = EnumWire(reasoning_pb2.PathStatus, "PATH_STATUS")

#: Fields of Usage that may be unknown, and those that it and its message share by name and type.
_MAY_BE_UNKNOWN = (
    *("decode_ratio", "total_ratio", "draft_token_flops", "target_token_flops"),
    *("rewrite_rate", "gamma", "gamma_without_spm"),
    *("draft_engine_s", "target_engine_s", "selection_engine_s"),
)
_USAGE_FIELDS = tuple(name for name in Usage.__dataclass_fields__ if name not in ("models", *_MAY_BE_UNKNOWN))


def priority_from_wire(number: int) -> Priority:
    """What is reported: interactive where that is nothing, or what only a newer version knows."""
    return PRIORITY.read(Priority, number, Priority.INTERACTIVE)


def request_from_wire(message: reasoning_pb2.SolveRequest) -> JobRequest:
    """A request that `request_to_wire` wrote, perhaps of another version: what only a newer one knows is UNKNOWN."""
    return JobRequest(
        message.problem,
        options_from_wire(message.options, 0),
        priority_from_wire(message.priority),
        labels_from_wire(message.labels),
    )


def request_to_wire(request: JobRequest) -> reasoning_pb2.SolveRequest:
    """Every default is written out."""
    return reasoning_pb2.SolveRequest(
        problem=request.problem,
        options=options_to_wire(request.options),
        priority=PRIORITY.number(request.priority),
        labels=dict(request.labels),
    )


def asked_priority(number: int) -> Priority:
    """What a request asks for, interactive where that is nothing. Raises: InvalidRequest."""
    return PRIORITY.member(Priority, number, Priority.INTERACTIVE)


def asked_status(number: int) -> JobStatus:
    """Raises: InvalidRequest for one that means nothing."""
    return _JOB_STATUS.member(JobStatus, number)


def reported_status(number: int) -> JobStatus:
    """UNKNOWN for one of a newer version."""
    return _JOB_STATUS.read(JobStatus, number)


def status_number(status: JobStatus) -> Any:
    return _JOB_STATUS.number(status)


def labels_from_wire(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """By key: a map has no order on the wire."""
    return tuple(sorted(labels.items()))


def job_to_wire(job: Job, *, steps: bool = True) -> reasoning_pb2.Job:
    """`steps` False leaves the paths' steps out; their mean scores stay."""
    return reasoning_pb2.Job(
        job_id=job.job_id,
        status=_JOB_STATUS.number(job.status),
        problem=job.problem,
        options=options_to_wire(job.options),
        answer=job.answer,
        votes=[_vote_to_wire(vote) for vote in job.votes],
        strategies=[strategy_to_wire(path.strategy) for path in job.paths],
        paths=[_path_to_wire(path, steps) for path in job.paths],
        usage=_usage_to_wire(job.usage),
        error=job.error,
        reason=job.reason,
        priority=PRIORITY.number(job.priority),
        tenant=job.tenant,
        labels=dict(job.labels),
        created=_time_to_wire(job.created),
        started=_time_to_wire(job.started),
        finished=_time_to_wire(job.finished),
        cursor=job.cursor,
        waiting_for=job.waiting_for,
        allowances=[_allowance_to_wire(one) for one in job.allowances],
    )


def job_from_wire(message: reasoning_pb2.Job) -> Job:
    return Job(
        job_id=message.job_id,
        status=_JOB_STATUS.read(JobStatus, message.status),
        problem=message.problem,
        options=options_from_wire(message.options, 0),
        answer=message.answer,
        votes=tuple(map(_vote_from_wire, message.votes)),
        paths=tuple(_path_from_wire(path) for path in message.paths),
        usage=_usage_from_wire(message.usage),
        error=message.error,
        reason=message.reason,
        priority=priority_from_wire(message.priority),
        tenant=message.tenant,
        labels=labels_from_wire(message.labels),
        created=_time_from_wire(message.created) if message.HasField("created") else None,
        started=_time_from_wire(message.started) if message.HasField("started") else None,
        finished=_time_from_wire(message.finished) if message.HasField("finished") else None,
        cursor=message.cursor,
        waiting_for=tuple(message.waiting_for),
        allowances=tuple(map(_allowance_from_wire, message.allowances)),
    )


def _allowance_to_wire(one: Allowance) -> reasoning_pb2.Allowance:
    return reasoning_pb2.Allowance(what=one.what, limit=one.limit, remaining=one.remaining, reset_s=one.reset_s)


def _allowance_from_wire(message: reasoning_pb2.Allowance) -> Allowance:
    return Allowance(message.what, message.limit, message.remaining, message.reset_s)


def _path_to_wire(path: Path, steps: bool) -> reasoning_pb2.Path:
    return reasoning_pb2.Path(
        id=path.index,
        strategy=strategy_to_wire(path.strategy),
        status=PATH_STATUS.number(path.status),
        answer=path.answer,
        mean_score=path.mean_score,
        steps=[step_to_wire(step) for step in path.steps] if steps else (),
        reason=path.reason,
    )


def _path_from_wire(message: reasoning_pb2.Path) -> Path:
    return Path(
        index=message.id,
        strategy=strategy_from_wire(message.strategy),
        steps=tuple(step_from_wire(step) for step in message.steps),
        status=PATH_STATUS.read(PathStatus, message.status),
        answer=message.answer,
        reason=message.reason,
    )


def _vote_to_wire(vote: Vote) -> reasoning_pb2.Vote:
    return reasoning_pb2.Vote(
        answer=vote.answer,
        paths=vote.paths,
        mean_score=vote.mean_score,
        posterior=vote.posterior,
        weight=vote.weight,
    )


def _vote_from_wire(message: reasoning_pb2.Vote) -> Vote:
    return Vote(
        message.answer,
        tuple(message.paths),
        message.mean_score if message.HasField("mean_score") else None,
        message.posterior if message.HasField("posterior") else None,
        message.weight if message.HasField("weight") else None,
    )


def _usage_to_wire(usage: Usage) -> reasoning_pb2.Usage:
    return reasoning_pb2.Usage(
        models=[
            reasoning_pb2.ModelUsage(
                model=m.model,
                parameters=m.parameters,
                calls=m.calls,
                prompt_tokens=m.prompt_tokens,
                cached_tokens=m.cached_tokens,
                generated_tokens=m.generated_tokens,
                reused_tokens=m.reused_tokens,
                estimated_tokens=m.estimated_tokens,
                flops=m.total_flops,
            )
            for m in usage.models
        ],
        **{name: getattr(usage, name) for name in (*_USAGE_FIELDS, *_MAY_BE_UNKNOWN)},
    )


def _usage_from_wire(message: reasoning_pb2.Usage) -> Usage:
    def known(name: Any) -> Any:
        return getattr(message, name) if message.HasField(name) else None

    fields: dict[str, Any] = {name: getattr(message, name) for name in _USAGE_FIELDS}
    fields |= {name: known(name) for name in _MAY_BE_UNKNOWN}
    return Usage(
        models=tuple(
            ModelUsage(
                *(m.model, m.parameters, m.calls, m.prompt_tokens, m.cached_tokens, m.generated_tokens),
                reused_tokens=m.reused_tokens if m.HasField("reused_tokens") else m.cached_tokens,  # of an older one
                estimated_tokens=m.estimated_tokens,
            )
            for m in message.models
        ),
        **fields,
    )


def _time_to_wire(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _time_from_wire(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
