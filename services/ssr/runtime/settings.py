"""What the settings of all services have in common.

Each service has one frozen tree of settings, read once at its entry point from `SSR_<SERVICE>_*` environment variables
(nested fields behind "__", as in SSR_DRAFTER_ENGINE__URLS) and handed down. A value that is wrong fails the start, and
so does a variable with a service's prefix that is no setting of it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ssr.core.errors import InvalidRequest

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


def replica_name() -> str:
    """A name for this process that no other has: host (in Kubernetes the pod) and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


class TlsSettings(BaseModel):
    """TLS for gRPC: certificates as PEM files. They are read again when they change, and new connections use them.

    A certificate has to name its service as its callers do (subjectAltName): for the target
    dns:///ssr-drafter-headless.ssr.svc:50051 that is DNS:ssr-drafter-headless.ssr.svc.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: This service's certificate with its chain, shown to who calls it and to the services that it calls.
    certificate: Path
    #: The certificate's private key, not encrypted.
    key: Path
    #: Who must have signed the certificates of the services that are called; None: a public authority (those that gRPC
    #: brings, or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names).
    authority: Path | None = None
    #: Who must have signed the certificates of the callers (mutual TLS); None: callers need none.
    clients: Path | None = None


class ServiceSettings(BaseSettings):
    """Where a service listens, how it ends, and how it is watched."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_nested_delimiter="__", enable_decoding=False)

    #: The address to listen on; 0.0.0.0 in a container.
    host: str = "127.0.0.1"
    #: The port to listen on; 0 takes a free one.
    port: Port = 0
    #: Seconds that calls in flight have to finish when the service is asked to end.
    grace_s: Seconds = 20.0
    #: The lowest level that is logged.
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    #: "text" for people, "json" for machines: one object a line, with the ids of job, path and step.
    log_format: Literal["text", "json"] = "text"
    #: Log lines may quote problems, answers and steps. Otherwise what quotes them is taken out.
    log_texts: bool = False
    #: The port for Prometheus (HTTP, /metrics); 0 takes a free one, None has none.
    metrics_port: Port | None = None
    #: Where traces are sent, as http://host:4317 (OTLP over gRPC; https with TLS); None: nowhere.
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/]+$")] | None = None
    #: TLS for gRPC; None: plaintext.
    tls: TlsSettings | None = None
    #: A port for gRPC health checks alone, without TLS and keys, which is answered at once however busy the process is:
    #: for Kubernetes' probes, which speak no TLS and wait for a second or two. None has none; the main port reports the
    #: health too.
    health_port: Port | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises: InvalidRequest naming the variables that are wrong, unknown or missing."""
        prefix = str(cls.model_config["env_prefix"])
        unknown = [
            name
            for name in environment
            if name.startswith(prefix) and name.removeprefix(prefix).split("__")[0].lower() not in cls.model_fields
        ]
        if unknown:
            raise InvalidRequest("environment", f"{', '.join(sorted(unknown))}: no such setting")
        try:
            return cls()
        except ValidationError as error:
            wrong = (f"{prefix}{'__'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in error.errors())
            raise InvalidRequest("environment", "; ".join(wrong)) from error


class ReportingSettings(ServiceSettings):
    """A service that calls engines, and reports their load."""

    #: The Redis that the load is reported to, for scaling, as the orchestrator's redis_url; None: it is not reported.
    redis_url: str | None = None
    #: This replica's name among those that report.
    replica: str = Field(default_factory=replica_name)
    #: Seconds between reports.
    report_s: Seconds = 5.0
