from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ssr.engines.load import Load
from ssr.engines.load_meter import LoadMeter, StepCounts
from ssr.engines.pool_state import PoolLoad, PoolState, ReplicaState


@dataclass
class FakePool:
    state: PoolState = field(default_factory=lambda: PoolState(0, 0, ()))
    work: PoolLoad = field(default_factory=lambda: PoolLoad(0, 0, 0, 0.0))

    def snapshot(self) -> PoolState:
        return self.state

    def load(self) -> PoolLoad:
        return self.work


def test_calls_are_of_now_and_rates_of_lately() -> None:
    now, steps = 10.0, StepCounts()
    pool: Any = FakePool()
    meter = LoadMeter(pool, steps, lambda: now)
    assert meter() == (Load(), 0)
    now += 5
    pool.state = PoolState(3, 7, (ReplicaState("a", 7, healthy=True), ReplicaState("b", 0, healthy=False)))
    pool.work = PoolLoad(300, 700, 1000, 40.0)
    steps.verified, steps.rewritten = 20, 5
    assert meter() == (Load(3, 7, 300, 700, 200.0, 8.0, 4.0, 1.0), 1)
    for _ in range(12):
        now += 5
        load, _ = meter()
    assert load.requests_running == 7
    assert 0.02 < load.tokens_per_s / 200 < 0.1
    assert load.tokens_per_s / load.busy_slots == pytest.approx(25.0)
    assert load.rewrite_rate == pytest.approx(0.25)


def test_a_rise_of_the_load_does_not_look_like_slow_engines() -> None:
    """Each call takes 10 s for 100 tokens, two reports long, and ever more of them begin."""
    now, pool = 0.0, FakePool()
    meter = LoadMeter(pool, now=lambda: now)  # type: ignore[arg-type]
    running = [1, 2, 4, 8, 16, 32, 64]
    ended = 0
    for report, calls in enumerate(running):
        now += 5
        ended += running[report - 2] if report >= 2 else 0
        pool.state = PoolState(0, calls, ())
        pool.work = PoolLoad(0, 0, 100 * ended, 10.0 * ended)
        load, _ = meter()
    assert load.tokens_per_s / load.busy_slots == pytest.approx(10.0)
