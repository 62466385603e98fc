"""What to report of errors that come out of a group of tasks."""

from __future__ import annotations

from ssr.core.errors import SsrError


def single_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error itself where there is one, the first where all of them are ours, otherwise the whole group."""
    _, others = group.split(SsrError)
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup) and (others is None or len(first.exceptions) == 1):
        first = first.exceptions[0]
    return group if isinstance(first, BaseExceptionGroup) else first
