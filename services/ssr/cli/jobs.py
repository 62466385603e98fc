"""`ssr watch`, `ssr cancel`, `ssr delete`, `ssr jobs`, `ssr usage`: jobs that run on a server."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ssr.cli.access import AccessFlags, with_access
from ssr.cli.destination import DEFAULT_SERVER, SERVER_VARIABLE, Destination, checked_address, connected
from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.cli.since import moment
from ssr.core.errors import InvalidRequest, echoed
from ssr.core.job import Job, JobStatus

if TYPE_CHECKING:
    from ssr.client import AsyncClient

_PAGE = 500

ServerOption = Annotated[
    str, typer.Option(metavar="HOST:PORT", envvar=SERVER_VARIABLE, help="The server that has the job.")
]
SinceOption = Annotated[
    str, typer.Option(metavar="T", help="Created since: so long ago (90s, 30m, 24h, 7d), or a time of ISO 8601, UTC.")
]
OfTenantOption = Annotated[
    str | None, typer.Option("--tenant", metavar="NAME", envvar="SSR_TENANT", help="Of this tenant alone.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB_ID", help="As `ssr jobs` or the job's first event shows it.")]


@with_access()
def watch(
    job_id: JobArgument,
    cursor: Annotated[str, typer.Option(metavar="C", help="Only what comes after this event.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Watch a job from its beginning to its end; leaving does not cancel it.

    Exit status: as `ssr solve`.

    Example:

      ssr watch job-abc --server 127.0.0.1:7600
    """
    run(_watch(job_id, cursor, server, flags), interrupted=f"interrupted; the job goes on: ssr watch {job_id}")


@with_access()
def cancel(
    job_id: JobArgument,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Cancel a job that is queued or runs; a finished one stays as it is.

    Example:

      ssr cancel job-abc
    """
    run(_cancel(job_id, server, flags))


@with_access(tenant=OfTenantOption)
def jobs(
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many, 1..500.")] = 20,
    status: Annotated[
        list[str] | None, typer.Option(metavar="S", help="With this status, as answered; may be given again.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="K=V", help="With this label; may be given again.")] = None,
    error: Annotated[
        str, typer.Option(metavar="TEXT", help="Failed and parked ones whose error has this text, in any case.")
    ] = "",
    since: SinceOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """List jobs, newest first.

    Examples:

      ssr jobs --limit 5 --status running --label course=algebra
      ssr jobs --error timed --since 24h --json
    """
    asked = _Asked(limit, tuple(status or ()), tuple(label or ()), error, since, as_json)
    run(_jobs(asked, server, flags))


@with_access(tenant=OfTenantOption)
def usage(
    since: SinceOption = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Report what finished jobs cost, by tenant and mode.

    It reads the jobs that the server still keeps (a day, by default) and that
    the caller sees: with API keys all of them are the administrator's to see.

    Example:

      ssr usage --since 6h
    """
    run(_usage(since, as_json, server, flags))


@with_access()
def delete(
    job_id: JobArgument,
    server: ServerOption = DEFAULT_SERVER,
    *,
    flags: AccessFlags,
) -> None:
    """Remove a job with all that is kept of it, for good.

    One that is not finished is cancelled first.

    Example:

      ssr delete job-abc
    """
    run(_delete(job_id, server, flags))


def client_of(server: str, flags: AccessFlags) -> AbstractAsyncContextManager[AsyncClient]:
    """A client of a server that can be reached. Raises: InvalidRequest, Unavailable."""
    return connected(Destination(checked_address(server)), flags.checked(), Console(stderr=True))


async def _watch(job_id: str, cursor: str, server: str, flags: AccessFlags) -> ExitStatus:
    from ssr.cli.job_view import JobView
    from ssr.cli.question import concluded
    from ssr.cli.viewer import viewer_for

    async with client_of(server, flags) as client:
        job = await client.get(job_id)
        # Without the events before the cursor the paths cannot be drawn, only named.
        viewer = viewer_for(Console(), live=not cursor)
        async with aclosing(client.watch(job_id, cursor, timeout_s=None)) as events:
            await viewer.show(events, JobView(job.problem, job.options))
        return concluded(await client.get(job_id))


async def _cancel(job_id: str, server: str, flags: AccessFlags) -> ExitStatus:
    async with client_of(server, flags) as client:
        job = await client.cancel(job_id)
    typer.echo(f"{job.job_id}: {job.status if job.status.final else 'is being cancelled'}")
    return ExitStatus.DONE


async def _delete(job_id: str, server: str, flags: AccessFlags) -> ExitStatus:
    async with client_of(server, flags) as client:
        await client.delete(job_id)
    typer.echo(f"{job_id}: deleted")
    return ExitStatus.DONE


def _labels(given: list[str]) -> dict[str, str]:
    """Raises: InvalidRequest."""
    pairs = [label.partition("=") for label in given]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise InvalidRequest("label", f"{echoed(key)} is not KEY=VALUE")
    return {key: value for key, _, value in pairs}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `ssr jobs` is to show."""

    limit: int
    statuses: tuple[str, ...]
    labels: tuple[str, ...]
    error: str
    since: str
    as_json: bool

    def fits(self, job: Job) -> bool:
        return self.error.casefold() in job.error.casefold()


async def _found(client: AsyncClient, asked: _Asked, tenant: str) -> AsyncGenerator[Job]:
    """All jobs that are asked for, page by page. Raises: InvalidRequest."""
    statuses = asked.statuses or ((JobStatus.FAILED, JobStatus.PARKED) if asked.error else ())
    since = moment(asked.since, datetime.now(UTC)) if asked.since else None
    size = _PAGE if asked.error else asked.limit
    token, labels = "", _labels(list(asked.labels))
    while True:
        page = await client.list(size, token, tenant=tenant, statuses=statuses, labels=labels, created_from=since)
        for job in page.jobs:
            if asked.fits(job):
                yield job
        token = page.next_page_token
        if not token:
            return


async def _jobs(asked: _Asked, server: str, flags: AccessFlags) -> ExitStatus:
    from ssr.cli.job_tables import job_list
    from ssr.client import job_to_json

    if not 1 <= asked.limit <= _PAGE:
        raise InvalidRequest("limit", f"must be within 1..{_PAGE}; got {asked.limit}")
    shown: list[Job] = []
    async with client_of(server, flags) as client, aclosing(_found(client, asked, flags.tenant or "")) as found:
        async for job in found:
            shown.append(job)
            if len(shown) == asked.limit:
                break
    if asked.as_json:
        for job in shown:
            typer.echo(json.dumps(job_to_json(job), ensure_ascii=False))
    else:
        id_chars = max((len(job.job_id) for job in shown), default=0)
        Console(width=max(Console().width, id_chars)).print(job_list(shown))
    return ExitStatus.DONE


async def _usage(since: str, as_json: bool, server: str, flags: AccessFlags) -> ExitStatus:
    from ssr.cli.job_tables import cost_table, costs

    asked = _Asked(_PAGE, (), (), "", since, as_json)
    async with client_of(server, flags) as client, aclosing(_found(client, asked, flags.tenant or "")) as found:
        rows = costs([job async for job in found])
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row.to_json(), ensure_ascii=False))
    else:
        Console().print(cost_table(rows))
    return ExitStatus.DONE
