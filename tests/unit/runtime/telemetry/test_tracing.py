"""Spans by the SDK, kept in memory: who is whose child, and what is recorded of failures."""

from __future__ import annotations

import asyncio

import pytest
from grpc import aio
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from ssr.core.errors import Unavailable
from ssr.runtime.telemetry.tracing import NO_SPAN, Tracing, current_span, remote_span, traceparent_in

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = CALLER[:-1] + "0"


class Recorder:
    """Tracing whose spans can be read."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer("test"))

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_spans_nest_below_the_callers(recorder: Recorder) -> None:
    with recorder.tracing.span("outer", SpanKind.SERVER, parent=CALLER, job="job-1") as outer:
        assert current_span() == outer
        assert outer.traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")
        with recorder.tracing.span("inner", score=7.5) as inner:
            inner.set(accepted=True)
    assert current_span() == NO_SPAN
    found = recorder.spans
    assert found["outer"].kind is SpanKind.SERVER
    assert found["outer"].parent is not None
    assert f"{found['outer'].parent.span_id:016x}" == "b7ad6b7169203331"
    assert found["inner"].parent == found["outer"].context
    assert dict(found["outer"].attributes or {}) == {"ssr.job": "job-1"}
    assert dict(found["inner"].attributes or {}) == {"ssr.score": 7.5, "ssr.accepted": True}


def test_nothing_begins_a_trace_unless_it_says_so(recorder: Recorder) -> None:
    with recorder.tracing.span("lonely") as span:
        assert span == NO_SPAN
    with recorder.tracing.span("first", begins=True) as span:
        assert span.trace_id
    assert set(recorder.spans) == {"first"}


def test_what_the_caller_does_not_sample_is_passed_on_and_not_recorded(recorder: Recorder) -> None:
    with recorder.tracing.span("outer", parent=UNSAMPLED), recorder.tracing.span("inner") as inner:
        assert inner.traceparent == UNSAMPLED
    assert not recorder.spans


def test_failures_are_recorded_and_cancellation_is_none(recorder: Recorder) -> None:
    with pytest.raises(Unavailable), recorder.tracing.span("failed", begins=True):
        raise Unavailable("engine away")
    with pytest.raises(asyncio.CancelledError), recorder.tracing.span("left", begins=True):
        raise asyncio.CancelledError
    found = recorder.spans
    assert found["failed"].status.status_code is StatusCode.ERROR
    assert found["failed"].status.description == "Unavailable: engine away"
    assert found["left"].status.status_code is StatusCode.UNSET
    assert dict(found["left"].attributes or {}) == {"ssr.cancelled": True}


async def test_tasks_go_on_in_the_span_that_made_them(recorder: Recorder) -> None:
    async def work(name: str) -> None:
        with recorder.tracing.span(name):
            await asyncio.sleep(0)

    with recorder.tracing.span("job", begins=True):
        async with asyncio.TaskGroup() as group:
            for name in ("a", "b"):
                group.create_task(work(name))
    found = recorder.spans
    assert found["a"].parent == found["b"].parent == found["job"].context


def test_without_tracing_there_is_no_span() -> None:
    with Tracing().span("x", begins=True, job="job-1") as span:
        span.set(score=1.0)
        assert (span.traceparent, span.trace_id) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        CALLER.replace("b7ad6b7169203331", "0" * 16),
        CALLER.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        "ff" + CALLER[2:],
        CALLER + "-more",
        CALLER.upper(),
    ],
)
def test_what_is_no_traceparent_is_not_believed(text: str) -> None:
    assert remote_span(text) == NO_SPAN
    assert traceparent_in([("traceparent", text)]) == ""


def test_a_later_version_of_traceparent_is_read_as_far_as_it_is_known() -> None:
    later, known = remote_span("01" + CALLER[2:] + "-more"), remote_span(CALLER)
    assert later.inner.get_span_context() == known.inner.get_span_context()
    assert traceparent_in([("x-ssr-tenant", "a"), ("traceparent", CALLER)]) == CALLER
    assert traceparent_in(None) == ""


def test_what_grpc_aborted_is_recorded_by_its_cause(recorder: Recorder) -> None:
    with pytest.raises(aio.AbortError), recorder.tracing.span("call", begins=True):
        try:
            raise Unavailable("engine away")
        except Unavailable:
            raise aio.AbortError  # noqa: B904 - as the server's interceptor does
    assert recorder.spans["call"].status.description == "Unavailable: engine away"
