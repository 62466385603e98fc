"""Server reflection, as grpcurl and others ask for it: version 1, and v1alpha, which older tools know."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc import aio
from grpc_reflection.v1alpha import _async as reflection_async
from grpc_reflection.v1alpha import reflection, reflection_pb2

#: Both versions have the same messages; grpcio-reflection brings the older one.
ALPHA, V1 = reflection.SERVICE_NAME, "grpc.reflection.v1.ServerReflection"
SERVICES = (ALPHA, V1)
_ALPHA_PACKAGE, _V1_PACKAGE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
_V1_FILE = "grpc/reflection/v1/reflection.proto"


def add_reflection(server: aio.Server, names: Sequence[str]) -> None:
    """Report the services of these names, and of reflection itself."""
    _describe_v1()
    servicer = reflection_async.ReflectionServicer((*names, *SERVICES))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in SERVICES:
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
        )


def _describe_v1() -> None:
    """Have the descriptors of version 1 where reflection looks for descriptors."""
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_V1_FILE)
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        _rename(file)
        pool.AddSerializedFile(file.SerializeToString())


def _rename(file: descriptor_pb2.FileDescriptorProto) -> None:
    file.name, file.package = _V1_FILE, _V1_PACKAGE
    file.ClearField("options")
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type, method.output_type = _renamed(method.input_type), _renamed(method.output_type)


def _renamed(name: str) -> str:
    return name.replace(f".{_ALPHA_PACKAGE}.", f".{_V1_PACKAGE}.")
