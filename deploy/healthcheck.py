"""Whether this container's service serves: exit status 0 if so. For Docker's HEALTHCHECK.

Which service it is, and its port, are read from the container's own SSR_<SERVICE>_PORT. Where there is a
SSR_<SERVICE>_HEALTH_PORT it is asked there: that port has no TLS, as this check has none.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from urllib.request import urlopen

import grpc
from grpc_health.v1 import health_pb2

_LIMIT_S = 4
_PORT = re.compile(r"SSR_(?P<service>ORCHESTRATOR|SELECTOR|DRAFTER|VERIFIER|GATEWAY|ENGINE)_PORT")


def healthy(environment: Mapping[str, str]) -> bool:
    """Raises: LookupError where the environment names no port or several; OSError or RpcError where nobody answers."""
    found = {match["service"]: port for name, port in environment.items() if (match := _PORT.fullmatch(name))}
    if len(found) != 1:
        raise LookupError("exactly one SSR_<SERVICE>_PORT must be set")
    ((service, port),) = found.items()
    health_port = environment.get(f"SSR_{service}_HEALTH_PORT")
    if health_port is None and any(name.startswith(f"SSR_{service}_TLS__") for name in environment):
        raise LookupError(f"a service with TLS is checked on SSR_{service}_HEALTH_PORT, which must be set")
    if service in ("ENGINE", "GATEWAY"):
        with urlopen(f"http://127.0.0.1:{health_port or port}/health", timeout=_LIMIT_S) as reply:
            return bool(reply.status == 200)
    with grpc.insecure_channel(f"127.0.0.1:{health_port or port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        health = check(health_pb2.HealthCheckRequest(), timeout=_LIMIT_S)
    return bool(health.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    try:
        sys.exit(0 if healthy(os.environ) else 1)
    except (LookupError, OSError, grpc.RpcError) as error:
        sys.exit(f"unhealthy: {error}")
