"""Clients from the .proto files: the examples in Node and Go, and the service config for all languages."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path

import grpc
import pytest
from conftest import System
from grpc import aio
from hang_limit import LIMIT_S

from ssr.v1 import reasoning_pb2 as pb
from ssr.v1 import reasoning_pb2_grpc

ROOT = Path(__file__).parents[2]
NODE = ROOT / "examples" / "node"
GO = ROOT / "examples" / "go" / "solve.go"
#: Debian's grpc-go marshals with a protobuf that is older than what its protoc-gen-go writes for.
GO_CODEC = """
package main

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"
)

type codec struct{}

func (codec) Marshal(v interface{}) ([]byte, error)      { return proto.Marshal(v.(proto.Message)) }
func (codec) Unmarshal(data []byte, v interface{}) error { return proto.Unmarshal(data, v.(proto.Message)) }
func (codec) Name() string                               { return "proto" }

func init() { encoding.RegisterCodec(codec{}) }
"""
GO_PACKAGES = Path("/usr/share/gocode")
CONFIG = ROOT / "examples" / "service-config.json"


async def run(*command: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(LIMIT_S):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.fixture
async def node(tmp_path: Path) -> Path:
    """The example with what it needs, as a user would have it."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("needs npm and node")
    folder = tmp_path / "examples" / "node"
    shutil.copytree(NODE, folder, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(CONFIG, folder.parent)
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    code, output = await run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)
    if code:
        pytest.skip(f"npm cannot install what the example needs: {output.strip()[-200:]}")
    return folder


async def test_the_example_in_node_solves_a_problem(system: System, node: Path) -> None:
    code, output = await run("node", "solve.mjs", system.address, "What is (12 * 7) + 19 - 3?", cwd=node)
    assert code == 0, output
    assert "modes baseline" in output
    assert re.search(r"^path \d: .* = ", output, re.MULTILINE)
    assert output.strip().splitlines()[-1] == "JOB_STATUS_ANSWERED: 100"


async def test_the_example_in_node_says_what_is_wrong(system: System, node: Path) -> None:
    code, output = await run("node", "solve.mjs", system.address, " ", cwd=node)
    assert code == 1
    assert output.strip().endswith("INVALID_ARGUMENT: problem: is empty; send the problem's text")


@pytest.fixture
async def go_client(tmp_path: Path) -> Path:
    """The example in Go, built of the contract with the packages of Debian: golang-go, protoc-gen-go,
    protoc-gen-go-grpc, golang-google-grpc-dev, golang-github-google-uuid-dev.
    """
    if not all(map(shutil.which, ("go", "protoc-gen-go", "protoc-gen-go-grpc"))) or not GO_PACKAGES.is_dir():
        pytest.skip("needs go with gRPC's packages")
    folder = tmp_path / "src" / "example"
    folder.mkdir(parents=True)
    shutil.copy(GO, folder)
    (folder / "codec.go").write_text(GO_CODEC)
    files = [f"ssr/v1/{name}.proto" for name in ("reasoning", "step")]
    plugins = [
        option
        for plugin in ("go", "go-grpc")
        for option in (
            f"--{plugin}_out=.",
            f"--{plugin}_opt=module=example",
            *(f"--{plugin}_opt=M{name}=example/ssr" for name in files),
        )
    ]
    protoc = (sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto"), *plugins, *files)
    gopath = f"GOPATH={tmp_path}:{GO_PACKAGES}"
    for command in (protoc, ("env", "GO111MODULE=off", gopath, "go", "build", "-o", "solve", ".")):
        code, output = await run(*command, cwd=folder)
        assert code == 0, output
    return folder / "solve"


async def test_the_example_in_go_solves_a_problem(system: System, go_client: Path) -> None:
    code, output = await run(str(go_client), system.address, "What is (12 * 7) + 19 - 3?", cwd=go_client.parent)
    assert code == 0, output
    assert re.search(r"^path \d: .* = ", output, re.MULTILINE)
    assert output.strip().splitlines()[-1] == "JOB_STATUS_ANSWERED 100"
    code, output = await run(str(go_client), system.address, " ", cwd=go_client.parent)
    assert (code, "problem: is empty" in output) == (1, True)


def test_the_service_config_names_every_method() -> None:
    config = json.loads(CONFIG.read_text())
    named = [(name["service"], name["method"]) for method in config["methodConfig"] for name in method["name"]]
    service = pb.DESCRIPTOR.services_by_name["ReasoningService"]
    assert sorted(named) == sorted((service.full_name, method.name) for method in service.methods)
    for method in config["methodConfig"]:
        assert method["timeout"].endswith("s")
        streams = {"Watch", "SolveStream"} & {name["method"] for name in method["name"]}
        assert ("retryPolicy" in method) is not bool(streams)


async def test_grpc_takes_the_service_config(system: System) -> None:
    options = [("grpc.service_config", CONFIG.read_text())]
    async with aio.insecure_channel(system.address, options=options) as channel:
        stub = reasoning_pb2_grpc.ReasoningServiceStub(channel)
        assert (await stub.GetServerInfo(pb.GetServerInfoRequest())).version
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.Get(pb.GetRequest(job_id="job-none"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
