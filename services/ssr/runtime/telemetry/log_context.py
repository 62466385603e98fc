"""What a log line is about: the ids of job, path and step, told once and on every line from there."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import NamedTuple, Self

from ssr.core.types import PathContext


class Ids(NamedTuple):
    """What is being worked on; "" and None where that is not said."""

    job: str = ""
    path: int | None = None
    step: int | None = None


_NOTHING = Ids()
_ids: ContextVar[Ids] = ContextVar("ssr-log-ids", default=_NOTHING)


def ids() -> Ids:
    """What the current task is about."""
    return _ids.get()


class about:  # noqa: N801 - reads as what it does, as contextlib's do
    """Inside, the current task and the tasks it makes are about this job; about its path and step, if given."""

    __slots__ = ("_ids", "_token")

    _token: Token[Ids]

    def __init__(self, job: str, path: int | None = None, step: int | None = None) -> None:
        self._ids = Ids(job, path, step)

    def __enter__(self) -> Self:
        self._token = _ids.set(self._ids)
        return self

    def __exit__(self, *exc: object) -> None:
        _ids.reset(self._token)


def about_next_step(context: PathContext) -> about:
    """Inside, the current task is about the step that follows a path's."""
    return about(context.job_id, context.path, len(context.steps))
