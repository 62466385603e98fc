"""How much a tenant and a caller may ask for in a minute: jobs, paths, and tokens that models generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssr.core.allowance import Allowance
from ssr.core.errors import Overloaded
from ssr.core.job import Job
from ssr.orchestrator.queue.keys import rate_key
from ssr.runtime.redis.client import RedisClient, Script

_MINUTE_MS = 60_000
#: The name in settings that stands for all that are not named.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Rate:
    """Units a minute; None for any number."""

    jobs: int | None = None
    paths: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """By name, or ANY: of tenants, and of callers. A caller is what a tenant's name has before its first dot."""

    tenants: Mapping[str, Rate] = field(default_factory=dict)
    callers: Mapping[str, Rate] = field(default_factory=dict)

    def of(self, tenant: str) -> list[tuple[str, str, Rate]]:
        """What limits a tenant: "tenant" or "caller", its name, and its rate."""
        caller = caller_of(tenant)
        named = (("tenant", tenant, self.tenants), ("caller", caller, self.callers))
        found = ((kind, name, rates.get(name, rates.get(ANY))) for kind, name, rates in named)
        return [(kind, name, rate) for kind, name, rate in found if rate is not None]


def caller_of(tenant: str) -> str:
    """The caller whose tenant it is, where callers have API keys."""
    return tenant.partition(".")[0]


@dataclass(frozen=True, slots=True)
class _Taking:
    what: str
    unit: str
    key: str
    units: int
    a_minute: int


def _allowance(taking: _Taking, until_full_ms: int) -> Allowance:
    left = max(0.0, 1 - until_full_ms / _MINUTE_MS)
    return Allowance(taking.unit, taking.a_minute, int(left * taking.a_minute), until_full_ms / 1000)


class Rates:
    """Keeps to the limits, all replicas together. Every method raises Unavailable while Redis cannot be reached."""

    def __init__(self, redis: RedisClient, limits: RateLimits) -> None:
        self._limits = limits
        self._rate = Script(redis, "orchestrator/queue/scripts/queue/rate")

    def limit(self, tenant: str) -> bool:
        """Whether the tenant has any limit."""
        return bool(self._limits.of(tenant))

    async def take(self, tenant: str, paths: int, now_ms: int, *, jobs: int = 1) -> None:
        """Jobs of so many paths in all are to come; tokens are taken when they have ended, and refuse the next ones.

        Raises: Overloaded with the time after which they may; then nothing is taken.
        """
        takings = self._takings(tenant, jobs=jobs, paths=paths, tokens=0)
        if not takings:
            return
        delay_ms, *which = await self._run(takings, now_ms)
        if delay_ms:
            taking = takings[which[0] - 1]
            used_up = Allowance(taking.unit, taking.a_minute, 0, delay_ms / 1000)
            raise Overloaded(f"{taking.what} a minute are allowed, and used up", delay_ms / 1000, used_up)

    async def look(self, tenant: str, now_ms: int) -> tuple[Allowance, ...]:
        """What is left of each limit that a tenant has."""
        takings = self._takings(tenant, jobs=0, paths=0, tokens=0)
        if not takings:
            return ()
        _, *until_full_ms = await self._run(takings, now_ms, forced=True)
        return tuple(map(_allowance, takings, until_full_ms))

    async def give_back(self, tenant: str, paths: int, now_ms: int, *, jobs: int = 1) -> None:
        """What was taken for jobs that are not to come."""
        if takings := self._takings(tenant, jobs=-jobs, paths=-paths):
            await self._run(takings, now_ms, forced=True)

    async def ended(self, job: Job, now_ms: int) -> None:
        """A job has ended: its tokens are used."""
        tokens = sum(model.generated_tokens for model in job.usage.models)
        if takings := self._takings(job.tenant, tokens=tokens):
            await self._run(takings, now_ms, forced=True)

    async def _run(self, takings: Sequence[_Taking], now_ms: int, *, forced: bool = False) -> Sequence[int]:
        pairs = [part for taking in takings for part in (taking.units, taking.a_minute)]
        found: Sequence[int] = await self._rate([t.key for t in takings], [now_ms, "1" if forced else "", *pairs])
        return found

    def _takings(self, tenant: str, **units: int) -> list[_Taking]:
        return [
            _Taking(f"{kind} {name}: {limit} {what}", what, rate_key(kind, name, what), units[what], limit)
            for kind, name, rate in self._limits.of(tenant)
            for what in units
            if (limit := getattr(rate, what)) is not None
        ]
