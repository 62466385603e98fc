"""TCP ports of this machine's loopback address."""

from __future__ import annotations

import socket

from ssr.core.errors import Unavailable

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that is free, and stays so for a while.

    A connection that was made to it and closed leaves it in TIME_WAIT: the system gives it to nobody who asks for just
    any port, but a server that asks for this very port (with SO_REUSEADDR, as servers do) gets it.
    """
    with socket.create_server((LOOPBACK, 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = server.accept()
            accepted.close()  # the end that closes first is the one that waits
            client.recv(1)
        return int(address[1])


def check_free(port: int, option: str = "--port") -> None:
    """Raises: Unavailable when something else listens on the port, or it may not be used; `option` says another."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as error:
        raise Unavailable(
            f"port {port} of {LOOPBACK} cannot be used: {error.strerror}; end what uses it, "
            f"or choose another ({option})"
        ) from error
