"""The embedded engine: a GGUF model in this process, as a `Backend` of the TGI-shaped server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from time import monotonic
from typing import Self

from ssr.core.errors import SsrError, Unavailable
from ssr.engine_server.embedded.batch import EmbeddedBatch
from ssr.engine_server.embedded.events import token_events
from ssr.engine_server.embedded.llama_api import LlamaApi
from ssr.engine_server.embedded.llama_server import LlamaServer
from ssr.engine_server.embedded.pieces import located
from ssr.engine_server.embedded.sampling import completion_body
from ssr.engine_server.embedded.settings import EmbeddedSettings
from ssr.engine_server.embedded.slots import SlotBook
from ssr.engine_server.server.backend import BackendInfo, BackendMetrics, GenerateRequest, TokenEvent, TokenPiece
from ssr.engine_server.server.stopping import StopCriteria
from ssr.engines.base import ChatMessage


class EmbeddedBackend:
    """llama.cpp behind the `Backend` protocol. Entering it loads the model (see `LlamaServer.start` for its errors)."""

    def __init__(self, settings: EmbeddedSettings) -> None:
        self._settings = settings
        self._batch = EmbeddedBatch(settings.slots, settings.context_tokens)
        self._slots = SlotBook(settings.slots)
        self._special_texts: dict[int, str] = {}
        self._held = AsyncExitStack()
        self._server: LlamaServer | None = None
        self._api: LlamaApi | None = None
        self._info: BackendInfo | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._server = await LlamaServer.start(self._settings)
            stack.push_async_callback(self._server.stop)
            self._api = await stack.enter_async_context(LlamaApi(self._server.url, self._server.key))
            self._info = await self._ask_info(self._api)
            self._held = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._api = None
        await self._held.aclose()

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        """See `Backend.generate`. Waits while the batch is full."""
        api, settings = self._running_api(), self._settings
        arrived = monotonic()
        async with self._batch.place(request.input_length + request.max_new_tokens):
            queue_s = monotonic() - arrived
            criteria = StopCriteria(request.max_new_tokens, request.stop)
            with self._slots.take(request.inputs) as slot:
                body = completion_body(request, settings.context_tokens, slot.index)
                async with aclosing(api.completion(body)) as chunks:
                    arriving = token_events(
                        chunks, criteria, self._special_text, top_n=request.top_n_tokens, queue_s=queue_s
                    )
                    async with aclosing(arriving):
                        async for events in arriving:
                            slot.text += "".join(event.token.text for event in events)
                            yield events

    async def render(self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True) -> str:
        """See `Backend.render`. A last message of the assistant is continued: its turn stays open."""
        return await self._running_api().render(messages, add_generation_prompt=add_generation_prompt)

    async def tokenize(self, text: str, *, add_special: bool = True) -> list[TokenPiece]:
        return located(text, await self._running_api().tokenize(text, add_special=add_special))

    def info(self) -> BackendInfo:
        if self._info is None:
            raise Unavailable("the embedded engine is not running")
        return self._info

    async def healthy(self) -> bool:
        try:
            await self._running_api().health()
        except SsrError:
            return False
        return True

    def metrics(self) -> BackendMetrics:
        return BackendMetrics(queued=self._batch.queued, running=self._batch.running)

    def _running_api(self) -> LlamaApi:
        if self._api is None:
            raise Unavailable("the embedded engine is not running")
        return self._api

    async def _ask_info(self, api: LlamaApi) -> BackendInfo:
        settings, model = self._settings, await api.model()
        return BackendInfo(
            model_id=settings.model_id,
            parameters=model["n_params"],
            max_input_tokens=settings.max_total_tokens - 1,
            max_total_tokens=settings.max_total_tokens,
            max_concurrent_requests=settings.max_concurrent_requests,
            max_top_n_tokens=settings.max_top_n_tokens,
            max_batch_size=settings.slots,
            dtype=model["ftype"],
            version=f"llama.cpp {await api.build()}",
        )

    async def _special_text(self, token: int) -> str:
        if token not in self._special_texts:
            self._special_texts[token] = await self._running_api().token_text(token)
        return self._special_texts[token]
