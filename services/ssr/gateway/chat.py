"""POST /v1/chat/completions: one problem, answered as a whole or as a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ssr.core.errors import SsrError
from ssr.gateway.answer import Shape, choices
from ssr.gateway.asking import Ask, ask, fingerprint_of
from ssr.gateway.caller import ApiCaller
from ssr.gateway.chat_request import read_chat
from ssr.gateway.completion import Chunks, completion
from ssr.gateway.errors import ApiError, from_ssr
from ssr.gateway.event_stream import EventStream, Heartbeat
from ssr.gateway.fields import read_json
from ssr.gateway.gateway import Gateway, WholeReply, succeeded
from ssr.gateway.joining import JoinedJob
from ssr.gateway.replies import DONE, JsonReply, data
from ssr.gateway.transcript import Reasoning, Transcript


class ChatCompletions:
    """Answers chat completions."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, request: Request) -> ASGIApp:
        gateway, caller = self._gateway, ApiCaller.of(request)
        body = read_json(await request.body())
        chat = read_chat(body, gateway.models)
        asked = ask(chat.asked, gateway.plain, fingerprint_of(caller.api_key, caller.idempotency_key, body))
        joined = await gateway.join(caller, asked)
        settings = gateway.settings
        shape = Shape(settings.content_chars, asked.plain, asked.stops)
        if not chat.stream:
            return WholeReply(self._whole(joined, asked, shape), joined, asked, settings.linger_s)
        chunks = Chunks(asked.model, joined.job)
        return EventStream(
            self._streamed(joined, asked, shape, chunks, usage=chat.include_usage),
            Heartbeat(settings.comment_s, settings.chunk_s, chunks.empty),
            joined.headers,
            joined.leave,
        )

    async def _whole(self, joined: JoinedJob, asked: Ask, shape: Shape) -> Response:
        job = succeeded(await self._gateway.ended(joined))
        reply = completion(asked.model, job, choices(job, Transcript.of(job), shape, asked.n))
        return JsonReply(reply, headers=joined.headers)

    async def _streamed(
        self, joined: JoinedJob, asked: Ask, shape: Shape, chunks: Chunks, *, usage: bool
    ) -> AsyncGenerator[bytes]:
        """The chunks."""
        transcript, shown = Transcript(), Reasoning()
        try:
            yield chunks.role()
            events = joined.client.watch(joined.job.job_id, timeout_s=self._gateway.settings.timeout_s)
            async with aclosing(events):
                async for event in events:
                    transcript.add(event)
                    if not shape.plain:
                        for text in shown.new(transcript):
                            yield chunks.reasoning(text)
            job = succeeded(transcript.job)
            shown_choices = choices(job, transcript, shape, asked.n, shown.leader)
            for index, choice in enumerate(shown_choices):
                if choice.content or index:
                    yield chunks.content(choice.content, index)
            yield chunks.finish([choice.finish_reason for choice in shown_choices], job)
            if usage:
                yield chunks.usage(job, sum(choice.tokens for choice in shown_choices))
        except (SsrError, ApiError) as error:
            yield data((from_ssr(error, asked.params) if isinstance(error, SsrError) else error).body())
        yield DONE
