from __future__ import annotations

import pytest

from ssr.engine_server.simulated.latency import NAP_S, LatencyModel, Pacer, PrefillLine
from ssr.engine_server.simulated.prefix_cache import BLOCK_TOKENS, PrefixCache
from ssr.engine_server.simulated.settings import Latency

LATENCY = Latency(prefill_tokens_per_s=1000, decode_base_s=0.02, decode_per_request_s=0.001, startup_s=5)


class Clock:
    """Time that passes only by sleeping; each sleep takes `lag` longer than asked for."""

    def __init__(self, lag: float = 0.0) -> None:
        self.time = 100.0
        self.naps: list[float] = []
        self._lag = lag

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds + self._lag


@pytest.mark.parametrize(("tokens", "seconds"), [(0, 0.0), (1, 0.001), (500, 0.5)])
def test_prefill_takes_time_per_token(tokens: int, seconds: float) -> None:
    assert LatencyModel(LATENCY).prefill_s(tokens) == pytest.approx(seconds)


@pytest.mark.parametrize(("batch", "seconds"), [(1, 0.021), (10, 0.03), (100, 0.12)])
def test_decoding_slows_down_with_the_batch(batch: int, seconds: float) -> None:
    assert LatencyModel(LATENCY).decode_s(batch) == pytest.approx(seconds)


@pytest.mark.parametrize(("scale", "seconds"), [(0.0, 0.0), (0.5, 0.25), (2.0, 1.0)])
def test_the_time_scale_multiplies_everything(scale: float, seconds: float) -> None:
    model = LatencyModel(LATENCY.model_copy(update={"time_scale": scale}))
    assert model.prefill_s(500) == pytest.approx(seconds)
    assert model.startup_s == pytest.approx(5 * scale)
    assert model.decode_s(1) == pytest.approx(0.021 * scale)


def test_prompts_wait_for_those_before_them() -> None:
    line = PrefillLine()
    assert line.join(now=10.0, duration_s=2.0) == pytest.approx(2.0)
    assert line.join(now=11.0, duration_s=3.0) == pytest.approx(4.0)
    assert line.join(now=99.0, duration_s=1.0) == pytest.approx(1.0)


async def test_short_durations_are_slept_together() -> None:
    clock = Clock()
    pacer = Pacer(clock.now, clock.sleep)
    for number in range(10):
        if pacer.owe(NAP_S / 4, settle=number == 9):
            await pacer.sleep()
    assert clock.time == pytest.approx(100 + 10 * NAP_S / 4)
    assert len(clock.naps) <= 3


async def test_sleeps_that_take_too_long_do_not_add_up() -> None:
    clock = Clock(lag=0.004)
    pacer = Pacer(clock.now, clock.sleep)
    for _ in range(100):
        if pacer.owe(0.025):
            await pacer.sleep()
    assert clock.time == pytest.approx(102.5, abs=0.03)


async def test_without_latency_others_get_a_turn_now_and_then() -> None:
    clock = Clock()
    pacer = Pacer(clock.now, clock.sleep)
    for _ in range(1000):
        if pacer.owe(0.0):
            await pacer.sleep()
    assert set(clock.naps) == {0}
    assert 5 < len(clock.naps) < 50


def words(count: int, word: str = "a") -> tuple[str, ...]:
    return (word,) * count


def test_a_longer_prompt_finds_its_beginning_cached() -> None:
    cache = PrefixCache(10_000)
    assert cache.admit(words(100)) == 0
    assert cache.admit(words(150)) == 100 // BLOCK_TOKENS * BLOCK_TOKENS
    assert cache.admit(("b", *words(150))) == 0


def test_a_known_prompt_still_has_a_token_to_process() -> None:
    cache = PrefixCache(10_000)
    cache.admit(words(BLOCK_TOKENS * 2))
    assert cache.admit(words(BLOCK_TOKENS * 2)) == BLOCK_TOKENS


def test_the_longest_unused_prefix_is_forgotten() -> None:
    cache = PrefixCache(BLOCK_TOKENS * 2)
    kept, forgotten, new = words(20, "kept"), words(20, "forgotten"), words(20, "new")
    for prompt in (kept, forgotten, kept, new):
        cache.admit(prompt)
    assert cache.admit(kept) == BLOCK_TOKENS
    assert cache.admit(forgotten) == 0


def test_no_capacity_no_cache() -> None:
    cache = PrefixCache(0)
    assert [cache.admit(words(50)), cache.admit(words(50)), cache.admit(())] == [0, 0, 0]
