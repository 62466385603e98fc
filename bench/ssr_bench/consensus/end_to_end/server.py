"""Servers, as processes of ours: one at a time, each with its own way of drafting."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ssr.cli.stack.child import Child
from ssr.cli.stack.ports import LOOPBACK, free_port
from ssr.consensus.bundle import bundle
from ssr.core.errors import InvalidRequest, TimedOut, Unavailable
from ssr_bench.consensus.end_to_end.client import VllmClient, open_client
from ssr_bench.consensus.end_to_end.method import DraftingMethod
from ssr_bench.consensus.end_to_end.plan import Patience

_PORT = "{port}"
_SPECULATION = "--speculative-config"
#: Between two looks whether a server is up, or gone, in seconds.
_LOOK_S = 0.1
#: For an orderly end, in seconds.
_GRACE_S = 30.0


def command_of(serve: str) -> tuple[str, ...]:
    """The words of a server's command, as a shell would cut them. Raises: InvalidRequest."""
    try:
        words = tuple(shlex.split(serve))
    except ValueError as error:
        raise InvalidRequest("serve", f"{serve!r} is no command: {error}") from error
    if not any(_PORT in word for word in words):
        raise InvalidRequest("serve", f"{serve!r} does not say where the port goes; write {_PORT} there")
    if any(word.startswith(_SPECULATION) for word in words):
        raise InvalidRequest("serve", f"leave {_SPECULATION} out; it is added for each method")
    return words


@asynccontextmanager
async def started(
    words: tuple[str, ...], method: DraftingMethod, environment: Mapping[str, str], log: Path, patience: Patience
) -> AsyncIterator[VllmClient]:
    """A server that drafts by `method`, when it serves; it and all its processes have ended afterwards.

    It finds our proposer on its PYTHONPATH, and a folder for counters of several processes.
    Raises: Unavailable when it ended before it served, TimedOut when it took too long; InvalidRequest when there is no
    such program.
    """
    port = free_port()
    command = [*(word.replace(_PORT, str(port)) for word in words), *method.flags()]
    with tempfile.TemporaryDirectory(prefix="ssr-bench-", ignore_cleanup_errors=True) as scratch:
        try:
            child = await Child.start(
                command, _environment(environment, Path(scratch)), stdin=asyncio.subprocess.DEVNULL, log=log
            )
        except OSError as error:
            raise InvalidRequest("serve", f"{command[0]} cannot be run: {error.strerror}") from error
        try:
            async with open_client(
                method.name, f"http://{LOOPBACK}:{port}", patience, environment, hint=f"; its log is {log}"
            ) as client:
                await _until_it_serves(client, child, log, patience)
                yield client
        finally:
            await _stop(child)


def _environment(inherited: Mapping[str, str], scratch: Path) -> dict[str, str]:
    bundled, counters = scratch / "bundle", scratch / "counters"
    bundle(bundled)
    counters.mkdir()
    path = [str(bundled), *filter(None, [inherited.get("PYTHONPATH")])]
    return {**inherited, "PYTHONPATH": os.pathsep.join(path), "PROMETHEUS_MULTIPROC_DIR": str(counters)}


async def _until_it_serves(client: VllmClient, child: Child, log: Path, patience: Patience) -> None:
    try:
        async with asyncio.timeout(patience.start_s):
            while not await client.serves():
                if child.ended:
                    raise Unavailable(
                        f"the server of {client.name} {child.ending()} before it served ({log}):\n{child.log_tail()}"
                    )
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise TimedOut(
            f"the server of {client.name} does not serve after {patience.start_s:g} s (--start-timeout; {log}):\n"
            f"{child.log_tail()}"
        ) from None


async def _stop(child: Child) -> None:
    """Ask all of the server's processes to end (a script around it may not pass the signal on), then kill the rest."""
    try:
        os.killpg(child.pid, signal.SIGTERM)
        async with asyncio.timeout(_GRACE_S):
            while True:  # until there is no such group
                await asyncio.sleep(_LOOK_S)
                os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError, TimeoutError):
        pass
    finally:
        await child.stop(0)
