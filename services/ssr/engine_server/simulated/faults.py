"""What goes wrong, on purpose: which request meets which fault.

Reproducible: the n-th request since a plan was set meets the same fault every time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ssr.core.errors import Overloaded, Permanent
from ssr.engine_server.simulated.dice import Dice


class FaultKind(StrEnum):
    """A way for a request to go wrong."""

    OVERLOADED = "overloaded"  #: 429 at once
    FAILED = "failed"  #: 424, the generation fails
    INCOMPLETE = "incomplete"  #: 500, the generation breaks off halfway
    HANG = "hang"  #: no answer until the client gives up
    ENDLESS = "endless"  #: the text ignores stop texts and goes on to max_new_tokens
    TRUNCATED = "truncated"  #: a 200 whose JSON body is cut in half (a stream is reset instead)
    RESET = "reset"  #: the connection is reset before any answer
    FLOOD = "flood"  #: a 200 whose body never ends


#: Faults of the model; they need no web server.
GENERATION_FAULTS = frozenset(
    {FaultKind.OVERLOADED, FaultKind.FAILED, FaultKind.INCOMPLETE, FaultKind.HANG, FaultKind.ENDLESS}
)
#: Faults of the connection; the middleware of `routes` makes them.
HTTP_FAULTS = frozenset({FaultKind.TRUNCATED, FaultKind.RESET, FaultKind.FLOOD})


class SimulatedFailure(Permanent):
    """A generation that failed on purpose."""


class FaultPlan(BaseModel):
    """Which faults requests meet. Faults of the model and of the connection are drawn independently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rates: Mapping[FaultKind, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="Share of the requests that meet each fault; together at most 1."
    )
    next_requests: Mapping[FaultKind, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(
        default_factory=dict, description="So many of the next requests meet the fault, before any rate counts."
    )
    slow_factor: float = Field(default=1.0, ge=1, le=1000, description="Every duration is multiplied by this.")
    seed: int = Field(default=0, description="Which requests the rates hit.")

    @model_validator(mode="after")
    def _rates_are_shares(self) -> Self:
        total = math.fsum(self.rates.values())
        if total > 1 + 1e-9:
            raise ValueError(f"rates add up to {total:g}: together they can be at most 1")
        return self


class Faults:
    """Deals the faults of a plan to requests as they come."""

    def __init__(self, plan: FaultPlan) -> None:
        self._dealt: Counter[FaultKind] = Counter()
        self.set(plan)

    def set(self, plan: FaultPlan) -> None:
        """Replace the plan and start counting afresh."""
        self._plan = plan
        self._queued = Counter(plan.next_requests)
        self._drawn: Counter[frozenset[FaultKind]] = Counter()

    @property
    def plan(self) -> FaultPlan:
        return self._plan

    @property
    def dealt(self) -> Mapping[FaultKind, int]:
        """How many requests met each fault since the engine started."""
        return MappingProxyType(self._dealt)

    def draw(self, kinds: frozenset[FaultKind]) -> FaultKind | None:
        """The fault of the next request among `kinds`; None when all goes well."""
        fault = self._next(kinds)
        if fault is not None:
            self._dealt[fault] += 1
        return fault

    def _next(self, kinds: frozenset[FaultKind]) -> FaultKind | None:
        if not self._plan.rates and not any(self._queued.values()):
            return None
        for kind in FaultKind:
            if kind in kinds and self._queued[kind] > 0:
                self._queued[kind] -= 1
                return kind
        rates = [(kind, self._plan.rates.get(kind, 0.0)) for kind in FaultKind if kind in kinds]
        if not any(rate for _, rate in rates):
            return None
        self._drawn[kinds] += 1
        mark = Dice("fault", self._plan.seed, *sorted(kinds), self._drawn[kinds]).unit("kind")
        for kind, rate in rates:
            mark -= rate
            if mark < 0:
                return kind
        return None


def error_of(fault: FaultKind | None) -> Exception | None:
    """The error with which a generation that meets `fault` fails before its first token; None: it does not."""
    if fault is FaultKind.OVERLOADED:
        return Overloaded("simulated fault: the engine is overloaded")
    if fault is FaultKind.FAILED:
        return SimulatedFailure("simulated fault: the generation failed")
    return None
