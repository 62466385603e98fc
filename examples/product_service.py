"""A product service that asks SSR: one handler with a deadline, which passes the steps on as they come.

ssr up                                        # in one terminal
python examples/product_service.py "What is 15 % of 80?"
"""

# ruff: noqa: T201
from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from ssr.client import AsyncClient
from ssr.core.errors import InvalidRequest, Overloaded, TimedOut, Unavailable
from ssr.core.job import Finished, Job
from ssr.core.run import StepCommitted
from ssr.core.types import StopRule

#: Who we are to SSR, which shares its engines out between its tenants.
TENANT = "product-service"
#: What our own callers wait for, in seconds.
DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True)
class Response:
    """What the web framework sends: a status, a body, and headers."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


async def answer(client: AsyncClient, problem: str, send: Callable[[str], Awaitable[None]]) -> Response:
    """The handler. When its caller goes away the framework cancels it, and with it the job."""
    try:
        job = await _solve(client, problem, send)
    except InvalidRequest as error:
        return Response(400, str(error))
    except Overloaded as error:  # the client has waited and tried again; now our caller should
        return Response(429, "too many problems at once", (("Retry-After", f"{error.delay_s:.0f}"),))
    except Unavailable as error:
        return Response(503, "the reasoning service is away", (("Retry-After", f"{error.delay_s:.0f}"),))
    except TimedOut:  # the job was cancelled
        return Response(504, f"no answer within {DEADLINE_S:.0f} s")
    return Response(200, job.answer) if job.answer else Response(422, f"no answer: {job.error or job.status}")


async def _solve(client: AsyncClient, problem: str, send: Callable[[str], Awaitable[None]]) -> Job:
    finished: Job | None = None
    # aclosing: leaving the block early, for whatever reason, cancels the job at once.
    async with aclosing(client.stream(problem, paths=3, stop_rule=StopRule.FAST_2, timeout_s=DEADLINE_S)) as events:
        async for event in events:
            match event.happening:
                case StepCommitted(path, step):
                    await send(f"path {path}, step {step.index + 1} ({step.source}): {step.text}")
                case Finished(job):
                    finished = job
    assert finished is not None  # a stream that ends without its job raises
    return finished


async def _print(text: str) -> None:
    print(text)


async def main(problem: str, address: str = "127.0.0.1:7600") -> None:
    # One client for the life of the process: it holds the connection.
    async with AsyncClient(address, tenant=TENANT) as client:
        print(await answer(client, problem, _print))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
