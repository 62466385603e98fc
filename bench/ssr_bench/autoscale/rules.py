"""How others decide on a pool's replicas: each from the pool's calls and replicas of the moment. Pure.

Sources: kubernetes.io, "Horizontal Pod Autoscaling"; github.com/llm-d/llm-d, guides/workload-autoscaling;
github.com/vllm-project/aibrix, pkg/controller/podautoscaler; github.com/ai-dynamo/dynamo, planner/core.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ssr.autoscaler.policy.signals import Engines
from ssr.engines.load import Load
from ssr_bench.autoscale.hpa import Hpa

#: llm-d: calls that run for which it wants a replica; one that waits is worth a replica of its own.
_LLM_D_RUNNING = 16
#: AIBrix leaves a pool alone whose use is off the target by no more than this part.
_APA_TOLERANCE = 0.1
#: Dynamo's "throughput" mode: one replica more above the first share of the slots, one fewer below the second.
_DYNAMO_UP, _DYNAMO_DOWN = 1.0, 0.6


class Rule(Protocol):
    """One pool's rule, asked again and again; `now` in seconds of any clock."""

    def decide(self, load: Load, engines: Engines, now: float) -> int:
        """How many replicas there are to be."""
        ...


def waiting_calls(load: Load, engines: Engines) -> float:
    """The calls that wait for an engine of the pool, as `num_requests_waiting` or `tgi_queue_size` are."""
    return load.requests_waiting


def llm_d_replicas(load: Load, engines: Engines) -> float:
    """The replicas that llm-d's ScaledObject asks for: one for each call that waits, or for 16 that run.

    Of its two triggers an HPA takes the larger.
    """
    return max(float(load.requests_waiting), load.requests_running / _LLM_D_RUNNING)


def llm_d_guarded(running: float) -> Callable[[Load, Engines], float]:
    """llm-d's guarded rule with so many `running` calls a replica: what starts counts against what is asked for."""

    def replicas(load: Load, engines: Engines) -> float:
        there = engines.ready + engines.starting
        wanted = max(float(load.requests_waiting), load.requests_running / running)
        return wanted if wanted <= there else max(wanted - engines.starting, float(there))

    return replicas


@dataclass(frozen=True, slots=True)
class HpaRule:
    """A HorizontalPodAutoscaler on the total of a metric."""

    hpa: Hpa
    metric: Callable[[Load, Engines], float]

    def decide(self, load: Load, engines: Engines, now: float) -> int:
        return self.hpa.decide(self.metric(load, engines), engines.ready + engines.starting, now)


@dataclass(slots=True)
class ApaRule:
    """AIBrix's APA: the mean use of the slots over `window_s` seconds, against `target`.

    At most twice as many at a time, at least half as many.
    """

    slots: int
    max_replicas: int
    target: float
    window_s: float
    _seen: deque[tuple[float, float]] = field(default_factory=deque)

    def decide(self, load: Load, engines: Engines, now: float) -> int:
        there = engines.ready + engines.starting
        self._seen.append((now, load.requests_running / (self.slots * max(engines.ready, 1))))
        while now - self._seen[0][0] > self.window_s:
            self._seen.popleft()
        ratio = sum(use for _, use in self._seen) / len(self._seen) / self.target
        if ratio > 1 + _APA_TOLERANCE:
            wanted = min(math.ceil(there * ratio), 2 * there)
        elif ratio < 1 - _APA_TOLERANCE:
            wanted = max(math.ceil(there * ratio), there // 2)
        else:
            wanted = there
        return min(max(wanted, 1), self.max_replicas)


@dataclass(frozen=True, slots=True)
class DynamoRule:
    """Dynamo's planner by load: one replica at a time, and none while one is starting.

    Load is the calls that run and wait over the slots; ours are spread evenly, so that one replica is as all.
    """

    slots: int
    max_replicas: int

    def decide(self, load: Load, engines: Engines, now: float) -> int:
        there = engines.ready + engines.starting
        if engines.starting or not engines.ready:
            return max(there, 1)
        used = (load.requests_running + load.requests_waiting) / (self.slots * engines.ready)
        wanted = there + (used > _DYNAMO_UP) - (used < _DYNAMO_DOWN)
        return min(max(wanted, 1), self.max_replicas)
