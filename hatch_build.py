"""Builds the protobuf and gRPC code of proto/ into services/, whenever the package is built or installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProtobufBuildHook(BuildHookInterface):
    """Runs protoc for every file below proto/."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        generate(Path(self.root))


def generate(root: Path) -> None:
    """Write *_pb2*.py(i) from root/proto: proto/ssr/v1 becomes services/ssr/v1, and so on.

    Raises: RuntimeError when protoc refuses a file.
    """
    from grpc_tools import protoc

    protos = sorted((root / "proto").rglob("*.proto"))
    out = root / "services"
    include = Path(protoc.__file__).parent / "_proto"
    # The mypy plug-ins are console scripts: beside this interpreter, or on the PATH of an isolated build.
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = {name: shutil.which(f"protoc-gen-{name}", path=search) for name in ("mypy", "mypy_grpc")}
    plugins = [f"--plugin=protoc-gen-{name}={path}" for name, path in found.items() if path]
    typed = [f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}"] if len(plugins) == 2 else []
    command = ["protoc", f"-I{root / 'proto'}", f"-I{include}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if status := protoc.main([*command, *plugins, *typed, *map(str, protos)]):
        raise RuntimeError(f"protoc failed with status {status}")
    for folder in {proto.parent.relative_to(root) for proto in protos}:
        package = out / folder.relative_to("proto") / "__init__.py"
        package.write_text(f'"""Generated from {folder.as_posix()}: do not edit."""\n')


if __name__ == "__main__":
    generate(Path(__file__).parent)
