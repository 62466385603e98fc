from __future__ import annotations

import socket

import pytest

from ssr.cli.stack.ports import LOOPBACK, check_free, free_port
from ssr.core.errors import Unavailable


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    check_free(port)
    with socket.create_server((LOOPBACK, port)) as server:
        assert server.getsockname()[1] == port


def test_free_ports_differ() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == len(ports)


def test_a_port_in_use_is_reported_with_what_to_do() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as server,
        pytest.raises(Unavailable, match=rf"port {server.getsockname()[1]} .*in use.*--port"),
    ):
        check_free(server.getsockname()[1])
