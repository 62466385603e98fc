"""`ssr queue`, `ssr pause`, `ssr resume`, `ssr drain`, `ssr requeue`: what an operator does to a running system."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ssr.cli.access import AccessFlags, with_access
from ssr.cli.destination import DEFAULT_SERVER
from ssr.cli.exit_status import ExitStatus
from ssr.cli.jobs import JobArgument, ServerOption, client_of
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest

if TYPE_CHECKING:
    from ssr.client.admin import AsyncAdmin, QueueInfo


@with_access(tenant=None)
def queue(
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Show whether the queue is paused, and the replicas that take jobs.

    Where the server asks for API keys, the key has to be the administrator's.

    Example:

      ssr queue
    """
    run(_show(lambda admin: admin.queue(), server, flags))


@with_access(tenant=None)
def pause(
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Have no replica take a job from the queue; those in hand go on.

    Jobs may be submitted meanwhile. `ssr resume` ends it.

    Example:

      ssr pause
    """
    run(_show(lambda admin: admin.pause(), server, flags))


@with_access(tenant=None)
def resume(
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """End a pause and every drain: replicas take jobs again.

    Example:

      ssr resume
    """
    run(_show(lambda admin: admin.resume(), server, flags))


@with_access(tenant=None)
def drain(
    replica: Annotated[str, typer.Argument(metavar="[REPLICA]", help="As `ssr queue` shows it.")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="All replicas, those to come too.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Have a replica hand its jobs back at their next step boundary, and take no more.

    It goes on answering calls. `ssr resume` ends it.

    Examples:

      ssr drain ssr-orchestrator-6c9f-1
      ssr drain --all
    """
    run(_drain(replica, everybody, server, flags))


@with_access(tenant=None)
def requeue(
    job_id: JobArgument,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Queue a job again that failed or was parked; its committed steps stay.

    Example:

      ssr requeue job-abc
    """
    run(_requeue(job_id, server, flags))


async def _drain(replica: str, everybody: bool, server: str, flags: AccessFlags) -> ExitStatus:
    if bool(replica) is everybody:
        raise InvalidRequest("replica", "name one, or give --all")
    return await _show(lambda admin: admin.drain(replica), server, flags)


async def _requeue(job_id: str, server: str, flags: AccessFlags) -> ExitStatus:
    async with client_of(server, flags) as client:
        job = await client.admin.requeue(job_id)
    typer.echo(f"{job.job_id}: {job.status}")
    return ExitStatus.DONE


async def _show(what: Callable[[AsyncAdmin], Awaitable[QueueInfo]], server: str, flags: AccessFlags) -> ExitStatus:
    async with client_of(server, flags) as client:
        state = await what(client.admin)
    since = "" if state.paused_since is None else f" since {state.paused_since:%Y-%m-%d %H:%M:%S} UTC"
    drained = "; all replicas are drained" if state.all_drained else ""
    typer.echo(f"queue: {'paused' if since else 'open'}{since}{drained}")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("replica", no_wrap=True, min_width=max([7, *(len(one.name) for one in state.replicas)]))
    for heading in ("jobs", "takes jobs", "last seen (UTC)"):
        table.add_column(heading, no_wrap=True)
    for one in state.replicas:
        takes = not (one.drained or since)
        table.add_row(one.name, str(one.jobs), "yes" if takes else "no", f"{one.last_seen:%m-%d %H:%M:%S}")
    Console().print(table)
    return ExitStatus.DONE
