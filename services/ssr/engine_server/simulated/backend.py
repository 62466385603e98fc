"""The simulated engine behind TGI's HTTP face: the model's words, at the latency model's pace, with planned faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import partial
from typing import Self

from ssr.core.prompts import ChatMessage
from ssr.engine_server.server.backend import (
    BackendInfo,
    BackendMetrics,
    FinishReason,
    GenerateRequest,
    GenerationEnd,
    TokenEvent,
    TokenPiece,
)
from ssr.engine_server.server.stopping import StopCriteria
from ssr.engine_server.simulated import template
from ssr.engine_server.simulated.activity import Activity
from ssr.engine_server.simulated.batch import SimulatedBatch
from ssr.engine_server.simulated.faults import GENERATION_FAULTS, FaultKind, Faults, error_of
from ssr.engine_server.simulated.latency import LatencyModel, Now, Pacer, PrefillLine, Sleep
from ssr.engine_server.simulated.model import Position, SimulatedModel
from ssr.engine_server.simulated.prefix_cache import PrefixCache
from ssr.engine_server.simulated.settings import SimulatedSettings
from ssr.engine_server.simulated.tokenizer import TokenisedText, pieces

#: Tokens that a generation gets out before it breaks off.
_INCOMPLETE_TOKENS = 3


class SimulatedBackend:
    """A `Backend` without a model. Text depends on the request and the settings alone; timing also on the load.

    `now` (monotonic seconds) and `sleep` are its only clock.
    """

    def __init__(self, settings: SimulatedSettings, *, now: Now = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._now = now
        self._sleep = sleep
        self._model = SimulatedModel(settings)
        self._thinking = settings.thinking
        self._latency = LatencyModel(settings.latency)
        self._prefill = PrefillLine()
        self._prefixes = PrefixCache(settings.prefix_cache_tokens)
        self._batch = SimulatedBatch(settings.max_batch_size)
        self._faults = Faults(settings.faults)
        self._activity = Activity()
        self._serving = False
        self._info = BackendInfo(
            model_id=settings.model_id,
            parameters=settings.parameters,
            max_input_tokens=settings.max_input_tokens,
            max_total_tokens=settings.max_total_tokens,
            max_concurrent_requests=settings.max_concurrent_requests,
            max_top_n_tokens=settings.max_top_n_tokens,
            prefill_logprobs=True,
            max_batch_size=settings.max_batch_size,
            dtype="simulated",
        )

    @property
    def faults(self) -> Faults:
        """What goes wrong; may be changed while the engine runs."""
        return self._faults

    @property
    def activity(self) -> Activity:
        """What it has done so far."""
        return self._activity

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Sequence[TokenEvent], None]:
        """See `Backend.generate`. The warpers other than temperature have no effect."""
        with self._activity.request() as visit:
            fault = await self._meet_fault()
            arrived = self._now()
            async with self._batch:
                pacer = Pacer(self._now, self._sleep)
                queue_s = self._now() - arrived
                prompt = pieces(request.inputs)
                cached = self._admit(prompt, anew=request.prefill)
                if pacer.owe(self._prefill_s(len(prompt) - cached)):
                    await pacer.sleep()
                prefill = tuple(self._model.prefill(request.inputs)) if request.prefill else ()
                end = partial(
                    GenerationEnd, prompt_tokens=len(prompt), cached_tokens=cached, queue_s=queue_s, prefill=prefill
                )
                written: list[str] = []
                ready: list[TokenEvent] = []
                for event in self._events(request, fault, end):
                    if not written:
                        event = event._replace(prompt=(len(prompt), cached))
                    if pacer.owe(self._decode_s(), settle=event.end is not None):
                        if ready:
                            yield ready
                            ready = []
                        await pacer.sleep()
                    ready.append(event)
                    written.append(event.token.text)
                    self._activity.generated_tokens += 1
                if not ready:
                    return
                if ready[-1].end is not None:
                    self._prefixes.admit((*prompt, *written))
                    visit.complete = True
                yield ready

    async def _meet_fault(self) -> FaultKind | None:
        """The fault that the generation goes on with, if any; one that fails it is raised here."""
        fault = self._faults.draw(GENERATION_FAULTS)
        if (error := error_of(fault)) is not None:
            raise error
        if fault is FaultKind.HANG:
            await asyncio.Event().wait()
        return fault

    def _events(
        self, request: GenerateRequest, fault: FaultKind | None, end: Callable[[FinishReason], GenerationEnd]
    ) -> Iterator[TokenEvent]:
        """The reply, token by token, to the one that ends it; a reply that is to break off has none."""
        stopping = StopCriteria(request.max_new_tokens, () if fault is FaultKind.ENDLESS else request.stop)
        for written, (token, top) in enumerate(self._positions(request, fault)):
            reason = stopping.after(token.text, eos=token.special)
            if fault is FaultKind.INCOMPLETE and (reason or written >= _INCOMPLETE_TOKENS):
                return
            yield TokenEvent(token, top, end(reason) if reason else None)
            if reason:
                return

    async def render(self, messages: Sequence[ChatMessage], *, add_generation_prompt: bool = True) -> str:
        """See `Backend.render`."""
        return template.render(messages, add_generation_prompt=add_generation_prompt, thinking=self._thinking)

    async def tokenize(self, text: str, *, add_special: bool = True) -> Sequence[TokenPiece]:
        """See `Backend.tokenize`. The model knows no beginning-of-text token, so `add_special` changes nothing."""
        return TokenisedText(text)

    def info(self) -> BackendInfo:
        """See `Backend.info`."""
        return self._info

    async def healthy(self) -> bool:
        """See `Backend.healthy`."""
        return self._serving

    def metrics(self) -> BackendMetrics:
        """See `Backend.metrics`."""
        return BackendMetrics(queued=self._batch.queued, running=self._batch.running)

    async def __aenter__(self) -> Self:
        """Takes as long as loading the pretended model."""
        if (startup_s := self._latency.startup_s) > 0:
            await self._sleep(startup_s)
        self._serving = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._serving = False

    def _admit(self, prompt: tuple[str, ...], *, anew: bool) -> int:
        """How many tokens come out of the prefix cache; `anew`: none, whatever is in it."""
        cached = self._prefixes.admit(prompt)
        if anew:
            cached = 0
        self._activity.prompt_tokens += len(prompt)
        self._activity.cached_tokens += cached
        return cached

    def _positions(self, request: GenerateRequest, fault: FaultKind | None) -> Iterator[Position]:
        if fault is FaultKind.ENDLESS:
            return self._model.endless(request.inputs, top_n=request.top_n_tokens)
        seed = None if request.greedy else request.seed or 0
        temperature = request.temperature or 1.0
        return self._model.reply(request.inputs, seed=seed, temperature=temperature, top_n=request.top_n_tokens)

    def _prefill_s(self, new_tokens: int) -> float:
        duration_s = self._latency.prefill_s(new_tokens) * self._faults.plan.slow_factor
        return self._prefill.join(self._now(), duration_s) if duration_s > 0 else 0.0

    def _decode_s(self) -> float:
        return self._latency.decode_s(self._batch.running) * self._faults.plan.slow_factor
