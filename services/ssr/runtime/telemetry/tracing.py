"""Spans: what a job's time went into, across all services. Without an endpoint for them there are none, at no cost.

The context is W3C's traceparent. It travels as metadata of gRPC calls and, with a job, through Redis: whichever replica
goes on with a job adds to the same trace. There is no global tracer; the span of now is the task's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from enum import Enum, auto

#: The name of the metadata, and its form: version, trace id, span id, flags.
TRACEPARENT = "traceparent"
_FORM = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")

Attribute = str | int | float | bool


class SpanRole(Enum):
    """What a span's time is, as OpenTelemetry has it."""

    INTERNAL = auto()  #: work of this process
    SERVER = auto()  #: a call that came in
    CLIENT = auto()  #: a call that went out


class Span:
    """A piece of work in a trace; this one is in none."""

    __slots__ = ()

    @property
    def traceparent(self) -> str:
        """What goes on from this span is told; "" when it is in no trace."""
        return ""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; "" when it is in no trace."""
        return ""

    def set(self, **attributes: Attribute) -> None:
        """Tell more of it; a name becomes "ssr.<name>"."""


NO_SPAN = Span()
_nothing = nullcontext(NO_SPAN)
_current: ContextVar[Span] = ContextVar("ssr-span", default=NO_SPAN)


def current_span() -> Span:
    """The span that the current task is in."""
    return _current.get()


def make_current(span: Span) -> Span:
    """From now on the current task is in `span`; gives the one it was in."""
    before = _current.get()
    _current.set(span)
    return before


def traceparent_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """What a call's metadata tells of its caller's trace; "" when that is nothing, or makes no sense."""
    for key, value in metadata or ():
        if key == TRACEPARENT:
            return value if isinstance(value, str) and parse_traceparent(value) else ""
    return ""


def parse_traceparent(text: str) -> tuple[int, int, int] | None:
    """Trace id, span id and flags; None for what is no traceparent."""
    found = _FORM.fullmatch(text)
    if found is None or text.startswith("ff") or (text.startswith("00") and found[4]):
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups()[:3])
    return (trace_id, span_id, flags) if trace_id and span_id else None


class Tracing:
    """Makes spans; this one makes none."""

    #: Whether anybody sees the spans.
    on = False

    def span(
        self,
        name: str,
        kind: SpanRole = SpanRole.INTERNAL,
        *,
        parent: str | None = None,
        begins: bool = False,
        **attributes: Attribute,
    ) -> AbstractContextManager[Span]:
        """The current task is in this span while the block runs.

        It is a child of the span of now, or of `parent`, a traceparent. Without either it is none, unless it `begins` a
        trace. An error that leaves the block is told in the span.
        """
        return _nothing
