"""`ssr serve`: single services as processes."""

from __future__ import annotations

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request, urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2
from hang_limit import LIMIT_S
from serve_process import Command, running_command, wait_until_closed

DRAFTER = {"SSR_DRAFTER_ENGINE__URLS": "http://127.0.0.1:1", "SSR_DRAFTER_GRACE_S": "1"}
ENGINE = {"SSR_ENGINE_KIND": "simulated", "SSR_ENGINE_ROLE": "draft", "SSR_ENGINE_GRACE_S": str(LIMIT_S)}


def ready(command: Command, service: str) -> str:
    return command.line(f"ready: {service} on ")


def get(url: str) -> Any:
    with urlopen(url, timeout=LIMIT_S) as reply:
        return json.load(reply)


def generate(address: str, tokens: int) -> int:
    """The number of tokens that the engine generated."""
    parameters = {"max_new_tokens": tokens, "details": True}
    body = json.dumps({"inputs": "What is 2 + 3?", "parameters": parameters}).encode()
    request = Request(f"http://{address}/generate", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=LIMIT_S) as reply:
        return int(json.load(reply)["details"]["generated_tokens"])


def wait_for_request(address: str) -> None:
    """Returns when the engine has a request in hand."""
    until = time.monotonic() + LIMIT_S
    while get(f"http://{address}/simulated/faults")["counters"]["in_flight"] == 0:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_service_says_when_it_serves_and_ends_when_asked(signum: signal.Signals) -> None:
    with running_command("-m", "ssr", "serve", "drafter", environment=DRAFTER) as command:
        with grpc.insecure_channel(ready(command, "drafter")) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            reply = check(health_pb2.HealthCheckRequest(service="ssr.v1.DraftingService"), timeout=LIMIT_S)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        command.signal(signum)
        assert command.exit_code() == 0
        assert "Traceback" not in command.errors()


def test_an_engine_finishes_what_it_has_in_hand() -> None:
    slow = {"SSR_ENGINE_SIMULATED__LATENCY__TIME_SCALE": "10"}
    with (
        running_command("-m", "ssr", "serve", "engine", environment=ENGINE | slow) as command,
        ThreadPoolExecutor(1) as thread,
    ):
        address = ready(command, "engine")
        generated = thread.submit(generate, address, 12)
        wait_for_request(address)
        command.signal(signal.SIGTERM)
        assert generated.result(LIMIT_S) > 0
        assert command.exit_code() == 0


def test_a_second_signal_ends_at_once() -> None:
    hanging = {"SSR_ENGINE_SIMULATED__FAULTS__RATES__HANG": "1"}
    with (
        running_command("-m", "ssr", "serve", "engine", environment=ENGINE | hanging) as command,
        ThreadPoolExecutor(1) as thread,
    ):
        address = ready(command, "engine")
        hung = thread.submit(generate, address, 12)
        wait_for_request(address)
        command.signal(signal.SIGTERM)
        wait_until_closed(address)
        command.signal(signal.SIGTERM)
        assert command.exit_code() == 128 + signal.SIGTERM
        with pytest.raises(OSError):
            hung.result(LIMIT_S)


def test_a_service_on_a_tether_ends_with_its_stdin() -> None:
    with running_command("-m", "ssr", "serve", "engine", environment=ENGINE | {"SSR_TETHER": "1"}) as command:
        ready(command, "engine")
        assert command.process.stdin is not None
        command.process.stdin.close()
        assert command.exit_code() == 0


def test_wrong_settings_are_named_in_one_line() -> None:
    wrong = {"SSR_DRAFTER_LOG_LEVEL": "LOUD", "SSR_DRAFTER_ENGINE__TIMEOUT_S": "soon"}
    with running_command("-m", "ssr", "serve", "drafter", environment=DRAFTER | wrong) as command:
        assert command.exit_code() == 2
        reported = command.errors().splitlines()
        assert len(reported) == 1
        assert all(name in reported[0] for name in wrong)


@pytest.mark.parametrize(("service", "environment"), [("drafter", DRAFTER), ("engine", ENGINE)])
def test_a_port_in_use_is_reported_in_one_line(service: str, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        arguments = ("-m", "ssr", "serve", service, "--port", str(port))
        with running_command(*arguments, environment=environment) as command:
            assert command.exit_code() == 1
            reported = command.errors().splitlines()
            assert len(reported) == 1
            assert f"cannot listen on 127.0.0.1:{port}" in reported[0]


def test_a_model_nobody_knows_is_reported_in_one_line() -> None:
    environment = {"SSR_ENGINE_KIND": "embedded", "SSR_ENGINE_MODEL": "gpt-99"}
    with running_command("-m", "ssr", "serve", "engine", environment=environment) as command:
        assert command.exit_code() == 1
        reported = command.errors().splitlines()
        assert len(reported) == 1
        assert "'gpt-99' is not known" in reported[0]
