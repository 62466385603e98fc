"""`ssr watch`, `ssr cancel`, `ssr delete`, `ssr jobs`: jobs that run on a server."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ssr.cli.access import (
    AccessFlags,
    ApiKeyFileOption,
    TenantOption,
    TlsCaOption,
    TlsCertOption,
    TlsKeyOption,
    TlsOption,
)
from ssr.cli.destination import DEFAULT_SERVER, SERVER_VARIABLE, Destination, checked_address, connected
from ssr.cli.exit_status import ExitStatus
from ssr.cli.running import run
from ssr.core.errors import InvalidRequest, echoed

if TYPE_CHECKING:
    from ssr.client import AsyncClient

ServerOption = Annotated[
    str, typer.Option(metavar="HOST:PORT", envvar=SERVER_VARIABLE, help="The server that has the job.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB_ID", help="As `ssr jobs` or the job's first event shows it.")]


def watch(
    job_id: JobArgument,
    cursor: Annotated[str, typer.Option(metavar="C", help="Only what comes after this event.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    tenant: TenantOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    api_key_file: ApiKeyFileOption = None,
) -> None:
    """Watch a job from its beginning to its end; leaving does not cancel it.

    Exit status: as `ssr solve`.

    Example:

      ssr watch job-abc --server 127.0.0.1:7600
    """
    flags = AccessFlags(tenant, tls, tls_ca, tls_cert, tls_key, api_key_file)
    run(_watch(job_id, cursor, server, flags), interrupted=f"interrupted; the job goes on: ssr watch {job_id}")


def cancel(
    job_id: JobArgument,
    server: ServerOption = DEFAULT_SERVER,
    tenant: TenantOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    api_key_file: ApiKeyFileOption = None,
) -> None:
    """Cancel a job that is queued or runs; a finished one stays as it is.

    Example:

      ssr cancel job-abc
    """
    run(_cancel(job_id, server, AccessFlags(tenant, tls, tls_ca, tls_cert, tls_key, api_key_file)))


def jobs(
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many, 1..500.")] = 20,
    status: Annotated[
        list[str] | None, typer.Option(metavar="S", help="With this status, as answered; may be given again.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="K=V", help="With this label; may be given again.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    tenant: TenantOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    api_key_file: ApiKeyFileOption = None,
) -> None:
    """List jobs, newest first.

    Example:

      ssr jobs --limit 5 --status running --label course=algebra
    """
    flags = AccessFlags(tenant, tls, tls_ca, tls_cert, tls_key, api_key_file)
    run(_jobs(limit, status or [], label or [], server, flags))


def delete(
    job_id: JobArgument,
    server: ServerOption = DEFAULT_SERVER,
    tenant: TenantOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    api_key_file: ApiKeyFileOption = None,
) -> None:
    """Remove a job with all that is kept of it, for good.

    One that is not finished is cancelled first.

    Example:

      ssr delete job-abc
    """
    run(_delete(job_id, server, AccessFlags(tenant, tls, tls_ca, tls_cert, tls_key, api_key_file)))


def client_of(server: str, flags: AccessFlags) -> AbstractAsyncContextManager[AsyncClient]:
    """A client of a server that can be reached. Raises: InvalidRequest, Unavailable."""
    return connected(Destination(checked_address(server)), flags.checked(), Console(stderr=True))


async def _watch(job_id: str, cursor: str, server: str, flags: AccessFlags) -> ExitStatus:
    from ssr.cli.job_view import JobView
    from ssr.cli.solve import concluded
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


async def _jobs(limit: int, statuses: list[str], labels: list[str], server: str, flags: AccessFlags) -> ExitStatus:
    from ssr.cli.job_list import job_list

    if not 1 <= limit <= 500:
        raise InvalidRequest("limit", f"must be within 1..500; got {limit}")
    async with client_of(server, flags) as client:
        page = await client.list(limit, statuses=statuses, labels=_labels(labels))
    Console().print(job_list(page.jobs))
    return ExitStatus.DONE
