from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from ssr.core.errors import Overloaded
from ssr.core.prompts import solving
from ssr.core.types import NO_STRATEGY
from ssr.engine_server.server.backend import Backend, FinishReason, GenerateRequest, TokenEvent
from ssr.engine_server.simulated.backend import SimulatedBackend
from ssr.engine_server.simulated.faults import FaultKind, FaultPlan, SimulatedFailure
from ssr.engine_server.simulated.latency import NAP_S
from ssr.engine_server.simulated.settings import Latency, SimulatedSettings
from ssr.engine_server.simulated.template import render

SETTINGS = SimulatedSettings(latency=Latency(time_scale=0))
PROMPT = render(solving("Ann has 48 pens, gets 24, loses 3 and shares them with 5 friends.", NO_STRATEGY))


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def request(*, stop: tuple[str, ...] = (), max_new_tokens: int = 500, seed: int | None = None) -> GenerateRequest:
    return GenerateRequest(PROMPT, max_new_tokens, 1, do_sample=seed is not None, seed=seed, stop=stop)


async def events(backend: SimulatedBackend, wanted: GenerateRequest) -> list[TokenEvent]:
    async with aclosing(backend.generate(wanted)) as stream:
        return [event async for ready in stream for event in ready]


async def let_others_run() -> None:
    """As many turns of the loop as a task without real waiting needs."""
    for _ in range(10):
        await asyncio.sleep(0)


def with_faults(**next_requests: int) -> SimulatedBackend:
    plan = FaultPlan(next_requests={FaultKind(kind): count for kind, count in next_requests.items()})
    return SimulatedBackend(SETTINGS.model_copy(update={"faults": plan}))


def test_it_is_a_backend() -> None:
    backend: Backend = SimulatedBackend(SETTINGS)
    assert backend.info().model_id == "simulated"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (request(stop=("\n\n",)), FinishReason.STOP_SEQUENCE),
        (request(), FinishReason.EOS_TOKEN),
        (request(max_new_tokens=4), FinishReason.LENGTH),
    ],
)
async def test_a_generation_ends_for_a_reason(wanted: GenerateRequest, reason: FinishReason) -> None:
    found = await events(SimulatedBackend(SETTINGS), wanted)
    assert [event.end for event in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1].end is not None
    assert found[-1].end.reason is reason
    assert found[-1].token.special is (reason is FinishReason.EOS_TOKEN)


async def test_tokens_are_counted_and_prefixes_cached() -> None:
    backend = SimulatedBackend(SETTINGS)
    first, again = [(await events(backend, request()))[-1].end for _ in range(2)]
    assert first is not None
    assert again is not None
    assert first.prompt_tokens == len(await backend.tokenize(PROMPT))
    assert first.cached_tokens == 0
    assert again.cached_tokens is not None
    assert first.prompt_tokens - 16 <= again.cached_tokens < first.prompt_tokens
    assert backend.activity.completed == 2
    assert backend.activity.cached_tokens == again.cached_tokens


async def test_a_request_for_the_prompts_tokens_gets_them_and_processes_all_anew() -> None:
    backend = SimulatedBackend(SETTINGS)
    await events(backend, request())
    (*_, last) = await events(backend, replace(request(), prefill=True))
    assert last.end is not None
    assert "".join(token.text for token in last.end.prefill) == PROMPT
    assert (last.end.prompt_tokens, last.end.cached_tokens) == (len(last.end.prefill), 0)


async def test_tokenize_gives_offsets() -> None:
    pieces = await SimulatedBackend(SETTINGS).tokenize("So 17 + 25.")
    assert all("So 17 + 25."[piece.start : piece.stop] == piece.text for piece in pieces)


async def test_a_generation_takes_its_time() -> None:
    clock = Clock()
    latency = Latency(prefill_tokens_per_s=100, decode_base_s=0.05, decode_per_request_s=0.01, startup_s=3)
    backend = SimulatedBackend(SimulatedSettings(latency=latency), now=clock.now, sleep=clock.sleep)
    async with backend:
        assert clock.time == pytest.approx(3)
        found = await events(backend, request())
    end = found[-1].end
    assert end is not None
    assert clock.time == pytest.approx(3 + end.prompt_tokens / 100 + len(found) * 0.06)


async def test_tokens_come_together_that_are_ready_together() -> None:
    clock = Clock()
    latency = Latency(prefill_tokens_per_s=1000, decode_base_s=NAP_S * 2, decode_per_request_s=0)
    slow = SimulatedBackend(SimulatedSettings(latency=latency), now=clock.now, sleep=clock.sleep)
    fast = SimulatedBackend(SETTINGS)
    batches = [[ready async for ready in backend.generate(request())] for backend in (slow, fast)]
    assert {len(ready) for ready in batches[0]} == {1}
    assert len(batches[1]) < sum(map(len, batches[1])) / 30
    assert [event.token for ready in batches[0] for event in ready] == [e.token for ready in batches[1] for e in ready]


async def test_the_slow_factor_slows_everything_down() -> None:
    times = []
    for factor in (1, 3):
        clock = Clock()
        settings = SimulatedSettings(faults=FaultPlan(slow_factor=factor))
        await events(SimulatedBackend(settings, now=clock.now, sleep=clock.sleep), request())
        times.append(clock.time)
    assert times[1] == pytest.approx(3 * times[0])


async def test_it_is_healthy_while_entered() -> None:
    backend = SimulatedBackend(SETTINGS)
    assert not await backend.healthy()
    async with backend:
        assert await backend.healthy()
    assert not await backend.healthy()


@pytest.mark.parametrize(("kind", "error"), [("overloaded", Overloaded), ("failed", SimulatedFailure)])
async def test_a_failing_generation_raises(kind: str, error: type[Exception]) -> None:
    backend = with_faults(**{kind: 1})
    with pytest.raises(error):
        await events(backend, request())
    assert (backend.activity.failed, backend.activity.in_flight) == (1, 0)
    assert (await events(backend, request()))[-1].end is not None


@pytest.mark.parametrize("max_new_tokens", [1, 500])
async def test_an_incomplete_generation_breaks_off(max_new_tokens: int) -> None:
    backend = with_faults(incomplete=1)
    assert all(event.end is None for event in await events(backend, request(max_new_tokens=max_new_tokens)))
    assert backend.activity.failed == 1


async def test_an_endless_text_ignores_stop_texts() -> None:
    found = await events(with_faults(endless=1), request(stop=("\n\n", "."), max_new_tokens=300))
    assert len(found) == 300
    assert found[-1].end is not None
    assert found[-1].end.reason is FinishReason.LENGTH


async def test_a_hanging_generation_ends_when_cancelled() -> None:
    backend = with_faults(hang=1)
    task = asyncio.create_task(events(backend, request()))
    await let_others_run()
    assert backend.activity.in_flight == 1
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (backend.activity.cancelled, backend.activity.in_flight) == (1, 0)


async def test_closing_a_generation_frees_its_place() -> None:
    backend = SimulatedBackend(SETTINGS)
    stream = backend.generate(request())
    await anext(stream)
    assert backend.metrics().running == 1
    await stream.aclose()
    assert backend.metrics().running == 0
    assert backend.activity.cancelled == 1


async def test_a_full_batch_makes_others_wait() -> None:
    backend = SimulatedBackend(SETTINGS.model_copy(update={"max_batch_size": 1}))
    first = backend.generate(request())
    await anext(first)
    second = asyncio.create_task(events(backend, request()))
    await let_others_run()
    assert (backend.metrics().queued, backend.metrics().running) == (1, 1)
    await first.aclose()
    assert (await second)[-1].end is not None


async def test_cancelling_a_waiting_request_leaves_the_queue() -> None:
    backend = SimulatedBackend(SETTINGS.model_copy(update={"max_batch_size": 1}))
    first = backend.generate(request())
    await anext(first)
    second = asyncio.create_task(events(backend, request()))
    await let_others_run()
    assert backend.metrics().queued == 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert backend.metrics().queued == 0
    await first.aclose()
