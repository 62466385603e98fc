"""/v1/responses: made, streamed, asked for again, cancelled, deleted. A response is a job, and nothing is kept here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ssr.client import AsyncClient
from ssr.core.errors import InvalidRequest, NotFound, SsrError, TimedOut
from ssr.core.job import Job
from ssr.gateway.answer import Shape
from ssr.gateway.asking import Ask, ask, fingerprint_of
from ssr.gateway.caller import ApiCaller
from ssr.gateway.errors import ApiError, from_ssr, refused
from ssr.gateway.event_stream import EventStream, Heartbeat
from ssr.gateway.fields import read_json
from ssr.gateway.gateway import Gateway, WholeReply, succeeded
from ssr.gateway.joining import JoinedJob
from ssr.gateway.replies import JsonReply, data
from ssr.gateway.response_events import ResponseEvents
from ssr.gateway.response_object import (
    BACKGROUND,
    EFFORT,
    PLAIN,
    RESPONSE,
    UNSTORED,
    job_id_of,
    no_response,
    response_id,
    response_object,
    words_of,
)
from ssr.gateway.response_request import METADATA, ResponseRequest, read_response

#: For a job that was cancelled to end, in seconds; the response is returned as it is then.
_CANCEL_S = 10.0


class Responses:
    """Answers /v1/responses."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, request: Request) -> Response | ASGIApp:
        gateway, caller = self._gateway, ApiCaller.of(request)
        body = read_json(await request.body())
        read = read_response(body, gateway.models)
        asked = ask(read.asked, gateway.plain, fingerprint_of(caller.api_key, caller.idempotency_key, body))
        joined = await gateway.join(caller, asked, waits=not read.background, labels=_labels(read, asked))
        headers = joined.headers
        events = self._events(joined.job)
        if read.stream:
            happened = _events_of(joined.client, joined.job, events, gateway.settings.timeout_s)
            return self._stream(happened, headers, joined if not read.background else None)
        if read.background:
            return JsonReply(response_object(joined.job), headers=headers)
        return WholeReply(self._whole(joined, events), joined, asked, gateway.settings.linger_s)

    async def _whole(self, joined: JoinedJob, events: ResponseEvents) -> Response:
        await self._gateway.reported(joined, events)
        succeeded(events.job)
        return JsonReply(events.response(), headers=joined.headers)

    async def get(self, request: Request) -> Response | ASGIApp:
        """The response as it is; with ?stream=true its events, behind number `starting_after`."""
        client = self._gateway.acting_for(ApiCaller.of(request))
        after, query = _after(request), request.query_params.get("stream", "false")
        if query not in ("true", "false"):
            raise refused("stream", "must be true or false")
        if after is not None and query == "false":
            raise refused("starting_after", "is for streams alone (stream=true)")
        job = await _found(client, request)
        events = self._events(job)
        limit_s = self._gateway.settings.timeout_s
        if query == "true":
            return self._stream(_events_of(client, job, events, limit_s, -1 if after is None else after), {}, None)
        if not job.status.final:
            return JsonReply(response_object(job))
        try:
            async with aclosing(client.watch(job.job_id)) as happened:
                async for event in happened:
                    events.add(event)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply(events.response())

    async def cancel(self, request: Request) -> Response:
        """Ends a background response; one that has ended stays as it is."""
        client = self._gateway.acting_for(ApiCaller.of(request))
        job = await _found(client, request)
        if BACKGROUND not in (words_of(job) or ()):
            raise refused("response_id", "was not made with background: true; close its connection to cancel it")
        try:
            await client.cancel(job.job_id)
            with suppress(TimedOut):
                async with aclosing(client.watch(job.job_id, job.cursor, timeout_s=_CANCEL_S)) as happened:
                    async for _ in happened:
                        pass
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return await self.get(request)  # type: ignore[return-value]  # no stream was asked for

    async def delete(self, request: Request) -> Response:
        client = self._gateway.acting_for(ApiCaller.of(request))
        job = await _found(client, request)
        try:
            await client.delete(job.job_id)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply({"id": response_id(job.job_id), "object": "response", "deleted": True})

    def _events(self, job: Job) -> ResponseEvents:
        return ResponseEvents(job, Shape(self._gateway.settings.content_chars, PLAIN in (words_of(job) or ())))

    def _stream(self, events: AsyncGenerator[bytes], headers: dict[str, str], joined: JoinedJob | None) -> ASGIApp:
        heartbeat = Heartbeat(self._gateway.settings.comment_s)
        return EventStream(events, heartbeat, headers, joined.leave if joined else _nothing)


def _labels(read: ResponseRequest, asked: Ask) -> dict[str, str]:
    words = {BACKGROUND: read.background, UNSTORED: not read.stored, PLAIN: asked.plain}
    labels = {RESPONSE: " ".join(["response", *(word for word, is_so in words.items() if is_so)])}
    if read.asked.effort:
        labels[EFFORT] = read.asked.effort
    return labels | {f"{METADATA}{key}": value for key, value in read.metadata.items()}


async def _events_of(
    client: AsyncClient, job: Job, events: ResponseEvents, limit_s: float, after: int = -1
) -> AsyncGenerator[bytes]:
    """The events with a number over `after`, as server-sent events."""
    number = -1
    try:
        async with aclosing(client.watch(job.job_id, timeout_s=limit_s)) as happened:
            async for event in happened:
                for sent in events.add(event):
                    number = sent["sequence_number"]
                    if number > after:
                        yield b"event: " + sent["type"].encode() + b"\n" + data(sent)
    except SsrError as error:
        body = from_ssr(error, {}).body()["error"]
        yield b"event: error\n" + data({"type": "error", "sequence_number": number + 1, **_flat(body)})


def _flat(error: dict[str, str | None]) -> dict[str, str | None]:
    return {name: error[name] for name in ("code", "message", "param")}


async def _found(client: AsyncClient, request: Request) -> Job:
    """The response that a path names. Raises: ApiError."""
    identifier = request.path_params["id"]
    try:
        job = await client.get(job_id_of(identifier))
    except (NotFound, InvalidRequest):
        raise no_response(identifier) from None
    except SsrError as error:
        raise from_ssr(error, {}) from None
    words = words_of(job)
    if words is None or UNSTORED in words:
        raise no_response(identifier)
    return job


def _after(request: Request) -> int | None:
    given = request.query_params.get("starting_after")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise ApiError(400, "starting_after: must be the sequence_number of an event", param="starting_after")
    return int(given)


async def _nothing() -> None:
    """A response in the background goes on."""
