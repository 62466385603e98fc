"""Sends inputs to all methods of running services and over the wire, and counts what comes back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from inputs import Inputs
from raw_http2 import raw_connection

from ssr.v1 import files_pb2, reasoning_pb2

#: No deadline of ours lets a call wait for a job.
_CALL_S = 1.0
_REFLECTION_S = 10.0
_RAW_S = 0.5
_AT_A_TIME = 16
#: Of inputs, over the wire by hand.
_RAW_SHARE = 0.2
#: Names that the server has given out.
_REMEMBERED = 200
#: Statuses that say that the server was surprised.
BAD_CODES = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service at an address ("host:port")."""

    address: str
    path: str
    request: type[Message]
    streams: bool = False
    takes_stream: bool = False


@dataclass(slots=True)
class Findings:
    """What came back: statuses by method, and what was bad, with enough to send it again."""

    seed: int
    inputs: int = 0
    raw: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


async def methods_of(addresses: Collection[str]) -> list[Method]:
    """All methods of all services that the servers at these addresses report themselves, by reflection."""
    found = []
    for address in addresses:
        async with aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
            (listed,) = await _reflected(stub, list_services="")
            pool = descriptor_pool.DescriptorPool()
            for service in listed.list_services_response.service:
                await _describe(stub, pool, {"file_containing_symbol": service.name})
                described = pool.FindServiceByName(service.name)
                found += [_method(address, described.full_name, method) for method in described.methods]
    return found


def _method(address: str, service: str, method: Any) -> Method:
    request = message_factory.GetMessageClass(method.input_type)
    path = f"/{service}/{method.name}"
    return Method(address, path, request, method.server_streaming, method.client_streaming)


async def _reflected(stub: Any, **asked: Any) -> list[Any]:
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**asked)]), timeout=_REFLECTION_S)
    return [reply async for reply in call]


async def _describe(stub: Any, pool: Any, asked: dict[str, str]) -> None:
    """Put a file of descriptors into the pool, behind those that it needs."""
    (reply,) = await _reflected(stub, **asked)
    for serialized in reply.file_descriptor_response.file_descriptor_proto:
        file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
        try:
            pool.FindFileByName(file.name)
        except KeyError:
            for name in file.dependency:
                await _describe(stub, pool, {"file_by_filename": name})
            pool.Add(file)


async def fuzz(methods: Sequence[Method], inputs: int, seed: int) -> Findings:
    """Send so many inputs; what came back."""
    findings, given = Findings(seed), Inputs(random.Random(seed))
    free = asyncio.Semaphore(_AT_A_TIME)
    channels = {address: aio.insecure_channel(address) for address in {method.address for method in methods}}

    async def one(method: Method) -> None:
        async with free:
            body = given.body(method.request)
            if given.rng.random() < _RAW_SHARE:
                findings.raw += 1
                await _by_hand(method, given.frames(method.path, body))
            else:
                await _call(channels[method.address], method, body, given, findings)

    async with asyncio.TaskGroup() as group:
        for number in range(inputs):
            findings.inputs += 1
            task = group.create_task(one(given.rng.choice(methods)))
            if number % 64 == 0:
                await asyncio.wait({task})
    for channel in channels.values():
        await channel.close()
    return findings


async def _call(channel: Any, method: Method, body: bytes, given: Inputs, findings: Findings) -> None:
    metadata: Any = given.metadata()
    code = "OK"
    try:
        if method.takes_stream:
            call: Any = channel.stream_stream(method.path)(iter([body]), timeout=_CALL_S, metadata=metadata)
        elif method.streams:
            call = channel.unary_stream(method.path)(body, timeout=_CALL_S, metadata=metadata)
        else:
            _remember(method, await channel.unary_unary(method.path)(body, timeout=_CALL_S, metadata=metadata), given)
            findings.codes[f"{method.path} OK"] += 1
            return
        async for _ in call:
            pass
    except aio.AioRpcError as error:
        code = error.code().name
        if error.code() in BAD_CODES:
            details = (error.details() or "")[:200]
            findings.bad.append(f"{method.path} {code} {details!r}: {body[:400]!r} with {metadata!r}")
    except (ValueError, TypeError) as error:  # gRPC's own client refuses some metadata
        code = f"not sent: {type(error).__name__}"
    findings.codes[f"{method.path} {code}"] += 1


def _remember(method: Method, reply: bytes, given: Inputs) -> None:
    """Some of the next inputs are about jobs, batches and files that there are."""
    if len(given.known) < _REMEMBERED:
        if method.path.endswith("/Submit"):
            given.known.append(reasoning_pb2.Job.FromString(reply).job_id)
        elif method.path.endswith("/CreateBatch"):
            given.known.append(reasoning_pb2.Batch.FromString(reply).batch_id)
        elif method.path.endswith("/List") and (token := reasoning_pb2.ListResponse.FromString(reply).next_page_token):
            given.known.append(token)
        elif method.path.endswith("/PutFile"):
            given.known.append(files_pb2.File.FromString(reply).file_id)


async def _by_hand(method: Method, frames: Sequence[bytes]) -> None:
    port = int(method.address.rsplit(":", 1)[1])
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_RAW_S), raw_connection(port) as connection:
            await connection.send(*frames)
            await connection.ended()
