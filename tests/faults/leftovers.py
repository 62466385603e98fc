"""What is left in Redis and in the engines once every job has ended. The one place that knows the queue's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from aiohttp import ClientSession
from redis.asyncio import Redis

from ssr.autoscaler.reports import TAG
from ssr.core.job import Job, Priority
from ssr.orchestrator.queue.keys import GROUP, INDEX, LISTED, MARK, REPLICAS, JobKeys, stream
from ssr.runtime.redis.client import RedisClient

#: Owners acknowledge a job after its last event, and engines notice a caller's end a moment later.
_SETTLE_S = 30.0
_LOOK_S = 0.1


async def deliver_again(url: str, job_id: str, paths: int) -> None:
    """Queues a job once more, as a producer does that does not know whether it did so before."""
    async with Redis.from_url(url, protocol=2) as redis:
        await redis.xadd(stream(Priority.INTERACTIVE), {"job": job_id, "paths": paths})


async def redis_leftovers(url: str, jobs: Iterable[Job]) -> list[str]:
    """Queue entries and keys of `jobs` that should not be there (any more), and jobs that should not exist."""
    finished = list(jobs)
    async with Redis.from_url(url, protocol=2) as redis:
        return await _settled(lambda: _redis_faults(redis, finished))


async def engine_leftovers(addresses: Iterable[str]) -> list[str]:
    """Generations that simulated engines at "host:port" still run for nobody."""
    return [fault for address in addresses for fault in await _settled(partial(_engine_faults, address))]


async def _settled(look: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """What `look` still finds after it had time to find nothing."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _SETTLE_S
    while (found := await look()) and loop.time() < until:
        await asyncio.sleep(_LOOK_S)
    return found


async def _redis_faults(redis: RedisClient, jobs: list[Job]) -> list[str]:
    faults = []
    streams = [stream(priority) for priority in Priority]
    for key in streams:
        faults += [f"{key} has an entry left: {entry}" for entry in await redis.xrange(key)]
        if await redis.exists(key) and (pending := (await redis.xpending(key, GROUP))["pending"]):
            faults.append(f"{pending} entries of {key} are pending")
    known = {key for job in jobs for key in JobKeys(job.job_id).all}
    async for raw in redis.scan_iter(count=1000):
        key = raw.decode()
        if key in (*streams, INDEX, LISTED, MARK, REPLICAS) or key.startswith(
            TAG
        ):  # all else of the queue's is there only while a job is unfinished
            continue
        if key not in known:
            faults.append(f"the key {key} is nobody's")
        elif await redis.ttl(key) <= 0:
            faults.append(f"the key {key} of a finished job stays for ever")
    indexed = {raw.decode() for raw in await redis.zrange(INDEX, 0, -1)}
    ids = {job.job_id for job in jobs}
    faults += [f"job {job_id} is nobody's" for job_id in indexed - ids]
    faults += [f"job {job_id} is not listed" for job_id in ids - indexed]
    return faults


async def _engine_faults(address: str) -> list[str]:
    async with ClientSession() as session, session.get(f"http://{address}/simulated/faults") as response:
        counters = (await response.json())["counters"]
    busy = {name: counters[name] for name in ("in_flight", "queued", "running") if counters[name]}
    return [f"the engine at {address} is still busy: {busy}"] if busy else []
