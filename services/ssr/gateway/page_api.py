"""The page at /ui, and what it asks the gateway for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from ssr.client import AsyncClient, job_to_json
from ssr.core.errors import BadReply, SsrError
from ssr.gateway.asking import own_options
from ssr.gateway.caller import ApiCaller
from ssr.gateway.errors import ApiError, from_ssr, refused
from ssr.gateway.event_json import event_to_json
from ssr.gateway.event_stream import EventStream, Heartbeat
from ssr.gateway.fields import read_json, text
from ssr.gateway.gateway import Gateway
from ssr.gateway.replies import JsonReply, data

_FOLDER = Path(__file__).with_name("page")
#: By their names in URLs.
_FILES = {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.is_file()}
#: Everything comes from here, nothing runs that is not a file of ours, and nobody frames the page.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_MAX_LIST = 500


class Page:
    """Serves the page's files, and jobs to it. Its callers are those of the API, by the same keys."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def enter(self, request: Request) -> Response:
        return RedirectResponse("/ui/")

    async def file(self, request: Request) -> Response:
        path = _FILES.get(request.path_params["file"] or "index.html")
        if path is None:
            raise ApiError(404, f"{request.url.path}: there is no such file", code="unknown_url")
        return FileResponse(path, headers=_HEADERS)

    async def info(self, request: Request) -> Response:
        client = self._client(request)
        try:
            return JsonReply(asdict(await client.server_info()))
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def pools(self, request: Request) -> Response:
        """{"pools": ...}: null where the server is of a version that does not report them."""
        try:
            return JsonReply({"pools": [asdict(pool) for pool in await self._client(request).pools()]})
        except BadReply:
            return JsonReply({"pools": None})
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def jobs(self, request: Request) -> Response:
        """A page of jobs. Query: limit, status, tenant, page."""
        asked = request.query_params
        limit = asked.get("limit", "50")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= _MAX_LIST):
            raise refused("limit", f"must be within 1..{_MAX_LIST}")
        status = asked.get("status", "")
        try:
            page = await self._client(request).list(
                int(limit), asked.get("page", ""), tenant=asked.get("tenant", ""), statuses=[status] if status else ()
            )
        except SsrError as error:
            raise from_ssr(error, {"page_token": "page"}) from None
        return JsonReply({"jobs": [job_to_json(job) for job in page.jobs], "next": page.next_page_token})

    async def submit(self, request: Request) -> Response:
        """{"problem": ..., "options": {...}}: the job runs whether or not anybody watches."""
        body = read_json(await request.body())
        options, priority, labels = own_options(body.get("options"), "options")
        problem = text(body, "problem") or ""
        try:
            job = await self._client(request).submit(problem, priority=priority, labels=labels, **options)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply(job_to_json(job))

    async def job(self, request: Request) -> Response:
        try:
            job = await self._client(request).get(request.path_params["id"])
        except SsrError as error:
            raise from_ssr(error, {}) from None
        return JsonReply({**job_to_json(job), "cursor": job.cursor})

    async def cancel(self, request: Request) -> Response:
        try:
            return JsonReply(job_to_json(await self._client(request).cancel(request.path_params["id"])))
        except SsrError as error:
            raise from_ssr(error, {}) from None

    async def events(self, request: Request) -> ASGIApp:
        """The events behind a cursor, as server-sent events; leaving them cancels nothing."""
        client, job_id = self._client(request), request.path_params["id"]
        try:
            await client.get(job_id)
        except SsrError as error:
            raise from_ssr(error, {}) from None
        cursor = request.query_params.get("cursor", "")
        return EventStream(_events(client, job_id, cursor), Heartbeat(self._gateway.settings.comment_s), {}, _nothing)

    def _client(self, request: Request) -> AsyncClient:
        return self._gateway.acting_for(ApiCaller.of(request))


async def _events(client: AsyncClient, job_id: str, cursor: str) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(client.watch(job_id, cursor)) as events:
            async for event in events:
                yield data(event_to_json(event))
    except SsrError as error:
        yield data(from_ssr(error, {}).body())


async def _nothing() -> None:
    """What a watcher leaves goes on."""
