"""Spans: what a job's time went into, across all services. Without an endpoint for them there are none, at no cost.

They are OpenTelemetry's. The context is W3C's traceparent: it travels as metadata of gRPC calls and, with a job,
through Redis, so that whichever replica goes on with a job adds to the same trace. There is no global tracer; the
current span is the task's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from grpc import aio
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

#: The name of the metadata.
TRACEPARENT = "traceparent"
_propagator = TraceContextTextMapPropagator()
_NO_CONTEXT = Context()

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work in a trace."""

    inner: trace.Span = trace.INVALID_SPAN

    @property
    def traceparent(self) -> str:
        """What goes on from this span is given; "" when it is in no trace."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(self.inner, _NO_CONTEXT))
        return carrier.get(TRACEPARENT, "")

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; "" when it is in no trace."""
        context = self.inner.get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else ""

    @property
    def sampled(self) -> bool:
        return self.inner.get_span_context().trace_flags.sampled

    def set(self, **attributes: Attribute) -> None:
        """Add what is known of it; a name becomes "ssr.<name>"."""
        self.inner.set_attributes(_named(attributes))


NO_SPAN = Span()
_nothing = nullcontext(NO_SPAN)


def current_span() -> Span:
    """The span that the current task is in."""
    return Span(trace.get_current_span())


def make_current(span: Span) -> Span:
    """From now on the current task is in `span`; gives the one it was in.

    The former context is not restored by OpenTelemetry's token: a stream may end in another task than it began in.
    """
    before = current_span()
    attach(trace.set_span_in_context(span.inner))
    return before


def traceparent_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The traceparent in a call's metadata; "" when there is none, or it makes no sense."""
    for key, value in metadata or ():
        if key == TRACEPARENT:
            return value if isinstance(value, str) and remote_span(value) != NO_SPAN else ""
    return ""


def remote_span(traceparent: str) -> Span:
    """Somebody else's span; NO_SPAN for what is no traceparent."""
    return Span(trace.get_current_span(_propagator.extract({TRACEPARENT: traceparent}, _NO_CONTEXT)))


class Tracing:
    """Makes spans; without a tracer, none."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        self._tracer = tracer

    @property
    def on(self) -> bool:
        """Whether anybody sees the spans."""
        return self._tracer is not None

    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        parent: str | None = None,
        begins: bool = False,
        **attributes: Attribute,
    ) -> AbstractContextManager[Span]:
        """The current task is in this span while the block runs.

        It is a child of the current span, or of `parent`, a traceparent. Without either it is none, unless it `begins`
        a trace. An error that leaves the block is recorded in the span.
        """
        if self._tracer is None:
            return _nothing
        above = remote_span(parent) if parent else current_span()
        if above == NO_SPAN and not begins:
            return _within(NO_SPAN)
        if above != NO_SPAN and not above.sampled:
            return _within(above)  # nothing below it is sampled: its trace goes on, and costs nothing
        context = trace.set_span_in_context(above.inner, _NO_CONTEXT)
        return _recorded(Span(self._tracer.start_span(name, context, kind, _named(attributes))))


def _named(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {f"ssr.{name}": value for name, value in attributes.items()}


@contextmanager
def _within(span: Span) -> Iterator[Span]:
    before = make_current(span)
    try:
        yield span
    finally:
        make_current(before)


@contextmanager
def _recorded(span: Span) -> Iterator[Span]:
    """The current task is in the span, which ends with the block."""
    try:
        with _within(span):
            yield span
    except asyncio.CancelledError:
        span.set(cancelled=True)
        raise
    except Exception as error:
        cause = error.__context__ if isinstance(error, aio.AbortError) and error.__context__ else error
        span.inner.set_status(Status(StatusCode.ERROR, f"{type(cause).__name__}: {cause}"))
        raise
    finally:
        span.inner.end()
