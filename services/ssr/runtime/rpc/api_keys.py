"""API keys: who may call, from a folder as Kubernetes shows a Secret."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from grpc import aio
from grpc_health.v1 import health

from ssr.core.errors import InvalidRequest, Unauthenticated
from ssr.runtime.background import beside
from ssr.runtime.rpc import reflection
from ssr.runtime.rpc.changes import changes
from ssr.runtime.rpc.tenant import CALLER, Caller, metadata_value, tenant_of

_log = logging.getLogger(__name__)

#: A caller's name is that of a tenant, without ".", which is before the names of the tenants under it.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MIN_KEY_CHARS = 16
_KEY = re.compile(r"[!-~]+")

#: Services that anybody may call: probes and KEDA send no key, and what there is to call is no secret.
OPEN_SERVICES = frozenset({health.SERVICE_NAME, *reflection.SERVICES, "externalscaler.ExternalScaler"})

#: Callers by the SHA-256 of their keys. A key is looked up by its digest, so how long that takes tells nothing of keys.
_Keys = Mapping[bytes, Caller]
_NO_MORE = object()
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class _Call:
    """A call in progress, which ends when its key is revoked."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._revoked = self._working = False

    def revoke(self) -> None:
        self._revoked = True
        if self._working and self._task is not None:  # while a message is on its way out, it ends behind that
            self._task.cancel()

    @contextmanager
    def working(self) -> Iterator[None]:
        """What the call does. Raises: Unauthenticated once the key is revoked."""
        self._check()
        self._working = True
        try:
            yield
        except asyncio.CancelledError:
            if self._revoked and self._task is not None:
                self._task.uncancel()
            self._check()
            raise
        finally:
            self._working = False

    def _check(self) -> None:
        if self._revoked:
            raise Unauthenticated("the API key was revoked")


class ApiKeys:
    """The keys that are good now, and the calls that were admitted with them."""

    def __init__(self, keys: _Keys) -> None:
        self._keys = keys
        self._calls: dict[bytes, set[_Call]] = {}

    @property
    def keys(self) -> _Keys:
        return self._keys

    def renew(self, keys: _Keys) -> None:
        """These are the good ones now. Calls with others end."""
        for revoked in self._keys.keys() - keys.keys():
            for call in tuple(self._calls.get(revoked, ())):
                call.revoke()
        self._keys = keys

    @contextmanager
    def admitted(self, context: aio.ServicerContext[Any, Any]) -> Iterator[_Call]:
        """Serves a call of this context inside. Raises: Unauthenticated, PermissionDenied."""
        digest = self._digest_of(context)
        CALLER.set(self._keys[digest])  # the task serves this call alone
        tenant_of(context)
        call = _Call()
        self._calls.setdefault(digest, set()).add(call)
        try:
            yield call
        finally:
            self._calls[digest].discard(call)
            if not self._calls[digest]:
                del self._calls[digest]

    def _digest_of(self, context: aio.ServicerContext[Any, Any]) -> bytes:
        """That of the good key in a call's metadata: "x-api-key: KEY" or "authorization: Bearer KEY".

        Raises: Unauthenticated.
        """
        key = metadata_value(context, "x-api-key")
        if key is None:
            scheme, _, credentials = (metadata_value(context, "authorization") or "").partition(" ")
            key = credentials.strip() if scheme.lower() == "bearer" else ""
        if not key:
            raise Unauthenticated(
                "this server takes calls with an API key; send the metadata authorization: Bearer KEY"
            )
        digest = _digest(key)
        if digest not in self._keys:
            raise Unauthenticated("the API key is not, or no longer, good")
        return digest


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """What a folder of keys holds: the good keys, and by the name of each other file what is wrong with it."""

    keys: _Keys
    faults: Mapping[str, str]


@asynccontextmanager
async def open_api_keys(folder: Path, administrator: str = "") -> AsyncIterator[ApiKeys]:
    """The keys in a folder, read again when they change; the caller of that name is the administrator ("": nobody).

    A file with a mistake is logged as an error and shuts nobody else out; its caller keeps the keys that were good
    before, if there are any. Raises: InvalidRequest as `read_keys`.
    """
    read = partial(read_keys, folder, administrator)
    files = await asyncio.to_thread(read)
    _report(files)
    held = ApiKeys(files.keys)

    async def follow() -> None:
        async with aclosing(changes(read, files, "api_keys")) as renewals:
            async for renewed in renewals:
                _report(renewed)
                kept = {key: caller for key, caller in held.keys.items() if caller.name in renewed.faults}
                held.renew({**kept, **renewed.keys})

    async with beside(follow(), "API keys"):
        yield held


def _report(files: KeyFiles) -> None:
    for fault in files.faults.values():
        _log.error("api_keys: %s; its caller has no other keys than those that were good before", fault)


def read_keys(folder: Path, administrator: str = "") -> KeyFiles:
    """The callers of a folder's files: a file has its caller's name, and a key a line. Hidden files are none. Blocks.

    Raises: InvalidRequest where the folder cannot be read or holds no good key, naming a file that is wrong; never a
    key.
    """
    keys: dict[bytes, Caller] = {}
    faults: dict[str, str] = {}
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise InvalidRequest("api_keys", f"{folder} cannot be read: {error.strerror}") from None
    for file in files:
        try:
            caller = Caller(file.name, administrator=file.name == administrator)
            found = {_digest(key): caller for key in _keys_in(file)}
            if shared := next((keys[key].name for key in found if key in keys), None):
                raise InvalidRequest("api_keys", f"{file} and {shared} have the same key; give each its own")
        except InvalidRequest as error:
            faults[file.name] = error.violations[0].message
        else:
            keys.update(found)
    if not keys:
        nothing = f"{folder} holds no key; without one nobody could call"
        raise InvalidRequest("api_keys", next(iter(faults.values()), nothing))
    return KeyFiles(keys, faults)


def _keys_in(file: Path) -> list[str]:
    if not _NAME.fullmatch(file.name):
        raise InvalidRequest(
            "api_keys", f"the name of {file} is no caller's; give 1..64 of the characters A-Z a-z 0-9 _ -"
        )
    try:
        lines = [line.strip() for line in file.read_text("utf-8", "replace").splitlines()]
    except OSError as error:
        raise InvalidRequest("api_keys", f"{file} cannot be read: {error.strerror}") from None
    keys = [line for line in lines if line]
    for key in keys:
        if len(key) < MIN_KEY_CHARS:
            raise InvalidRequest(
                "api_keys", f"{file} has a key of {len(key)} characters; at least {MIN_KEY_CHARS} are needed"
            )
        if not _KEY.fullmatch(key):
            raise InvalidRequest("api_keys", f"{file} has a key with spaces or characters beyond ASCII")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class ApiKeyCheck(aio.ServerInterceptor):
    """Serves calls with a good key alone, of all services but the open ones.

    It has to be inside of what answers our errors, which it raises.
    """

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """The method's handler behind our check. The same for all calls: the key is looked at when one is served."""
        handler = await continuation(handler_call_details)
        service = handler_call_details.method.split("/")[1]
        if handler is None or service in OPEN_SERVICES:
            return handler
        return _checked(handler, self._keys)


#: A handler's method by whether it takes and gives streams, and what makes such a handler.
_KINDS: Mapping[tuple[bool, bool], tuple[str, Callable[..., _Handler]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


def _checked(handler: _Handler, keys: ApiKeys) -> _Handler:
    name, make = _KINDS[handler.request_streaming, handler.response_streaming]
    method = getattr(handler, name)
    checked = _checked_stream if inspect.isasyncgenfunction(method) else _checked_call
    return make(checked(method, keys), handler.request_deserializer, handler.response_serializer)


def _checked_call(method: Any, keys: ApiKeys) -> Any:
    async def checked(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        with keys.admitted(context) as call, call.working():
            return await method(request, context)

    return checked


def _checked_stream(method: Any, keys: ApiKeys) -> Any:
    async def checked(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        with keys.admitted(context) as call:
            async with aclosing(method(request, context)) as messages:
                while True:
                    with call.working():
                        message = await anext(messages, _NO_MORE)
                    if message is _NO_MORE:
                        return
                    yield message

    return checked
