"""A job as JSON: what `ssr solve --json` prints, and what other tools may rely on."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any

from ssr.core.job import Job
from ssr.core.ledger import ModelUsage, Usage
from ssr.core.run import Path
from ssr.core.types import NO_STRATEGY, Options, Step, Strategy
from ssr.core.vote import Vote

_READERS = {
    kind: (tuple(kind.__dataclass_fields__), attrgetter(*kind.__dataclass_fields__))
    for kind in (Options, Vote, Usage, ModelUsage)
}


def job_to_json(job: Job) -> dict[str, Any]:
    """The job as JSON values.

    `answer` is "" where there is none. Scores are 0..9, null where nothing was scored. `strategies` has one entry a
    path, and none in modes that select none; a path names its strategy by code. Times are ISO 8601 in UTC, null where
    the job has not come that far.
    """
    return {
        "job_id": job.job_id,
        "status": str(job.status),
        "priority": str(job.priority),
        "tenant": job.tenant,
        "labels": dict(job.labels),
        "problem": job.problem,
        "answer": job.answer,
        "votes": votes_to_json(job),
        "strategies": strategies_to_json(job),
        "paths": [_path(path) for path in job.paths],
        "usage": usage_to_json(job.usage),
        "options": options_to_json(job.options),
        "error": job.error,
        "reason": job.reason,
        "waiting_for": list(job.waiting_for),
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
    }


def votes_to_json(job: Job) -> list[dict[str, Any]]:
    """`posterior` and `weight` are null where the job's rules have no such thing."""
    return [{**_fields(vote), "paths": list(vote.paths)} for vote in job.votes]


def strategies_to_json(job: Job) -> list[dict[str, str]]:
    return [_strategy(path.strategy) for path in job.paths if path.strategy != NO_STRATEGY]


def usage_to_json(usage: Usage) -> dict[str, Any]:
    return {**_fields(usage), "models": [_model(model) for model in usage.models]}


def options_to_json(options: Options) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, str) else value for name, value in _fields(options).items()}


def _strategy(strategy: Strategy) -> dict[str, str]:
    """Without its examples, which are the pool's and long."""
    return {"code": strategy.code, "name": strategy.name, "hint": strategy.hint}


def _path(path: Path) -> dict[str, Any]:
    return {
        "id": path.index,
        "strategy": path.strategy.code,
        "status": str(path.status),
        "answer": path.answer,
        "reason": path.reason,
        "mean_score": path.mean_score,
        "steps": [_step(step) for step in path.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "source": str(step.source),
        "score": step.score,
        "text": step.text,
        "tokens": step.tokens,
        **({"cut": True} if step.cut else {}),
    }


def _model(model: ModelUsage) -> dict[str, Any]:
    return {**_fields(model), "flops": model.total_flops}


def _fields(value: Options | Vote | Usage | ModelUsage) -> dict[str, Any]:
    """The fields by name, as they are: `asdict` would copy each of them, which takes most of a request's time."""
    names, read = _READERS[type(value)]
    return dict(zip(names, read(value), strict=True))


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
