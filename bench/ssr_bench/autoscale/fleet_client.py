"""The actuator of a local fleet: what Kubernetes' API is to the autoscaler on a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout

from ssr.autoscaler.policy.signals import Engines
from ssr.core.errors import Unavailable
from ssr.engines.load import Pool
from ssr_bench.autoscale.life import Life

#: For one call, in real seconds.
_LIMIT_S = 5.0


class FleetClient:
    """Implements `autoscaler.actuator.Actuator` over the fleets' HTTP. Every method raises Unavailable without it."""

    def __init__(self, session: ClientSession, addresses: Mapping[Pool, str]) -> None:
        self._session = session
        self._urls = {pool: f"http://{address}" for pool, address in addresses.items()}

    @classmethod
    @asynccontextmanager
    async def to(cls, addresses: Mapping[Pool, str]) -> AsyncIterator[Self]:
        """`addresses`: the "host:port" of each pool's fleet."""
        async with ClientSession(timeout=ClientTimeout(total=_LIMIT_S)) as session:
            yield cls(session, addresses)

    async def engines(self, pool: Pool) -> Engines:
        with _unavailable(pool):
            async with self._session.get(f"{self._urls[pool]}/replicas") as reply:
                reply.raise_for_status()
                return Engines(**await reply.json())

    async def scale(self, pool: Pool, replicas: int) -> None:
        with _unavailable(pool):
            async with self._session.put(f"{self._urls[pool]}/replicas", json={"replicas": replicas}) as reply:
                reply.raise_for_status()

    async def lives(self, pool: Pool) -> Sequence[Life]:
        """Of all replicas that there ever were, in seconds since 1970."""
        with _unavailable(pool):
            async with self._session.get(f"{self._urls[pool]}/lives") as reply:
                reply.raise_for_status()
                return [Life(**life) for life in await reply.json()]


@contextmanager
def _unavailable(pool: Pool) -> Iterator[None]:
    try:
        yield
    except (ClientError, TimeoutError) as error:
        raise Unavailable(f"the fleet of {pool} does not answer: {error!r}") from error
