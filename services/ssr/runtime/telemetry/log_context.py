"""What a log line is about: the ids of job, path and step, given once and on every line from there."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar, Token
from typing import NamedTuple, Self

from ssr.core.types import PathContext
from ssr.runtime.telemetry.private_texts import private


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
    """Inside, the current task and the tasks it makes are about this job; about its path and step, if given.

    Their log lines quote none of the `texts`.
    """

    __slots__ = ("_ids", "_private", "_token")

    _token: Token[Ids]

    def __init__(self, job: str, path: int | None = None, step: int | None = None, texts: Sequence[str] = ()) -> None:
        self._ids = Ids(job, path, step)
        self._private = private(*texts)

    def __enter__(self) -> Self:
        self._token = _ids.set(self._ids)
        self._private.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._private.__exit__(None, None, None)
        _ids.reset(self._token)


def about_next_step(context: PathContext, draft: str = "") -> about:
    """Inside, the current task is about the step that follows a path's, and about its draft."""
    texts = (context.problem, *context.steps, draft)
    return about(context.job_id, context.path, len(context.steps), texts)
