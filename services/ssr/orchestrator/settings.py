"""The orchestrator's settings: SSR_ORCHESTRATOR_*."""

from __future__ import annotations

import os
import socket
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from ssr.settings import Seconds, ServiceSettings


def _replica_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


class OrchestratorSettings(ServiceSettings):
    """Where Redis and the other services are, and how much one replica takes on."""

    model_config = SettingsConfigDict(env_prefix="SSR_ORCHESTRATOR_")

    #: redis://host:port/db, or rediss:// for TLS.
    redis_url: str
    #: gRPC targets of the other services, "host:port" (dns:///host:port for all addresses of a headless Service).
    selector: str
    drafter: str
    verifier: str
    #: This replica's name among the queue's consumers: unique, as the host's name and process id are.
    replica: str = Field(default_factory=_replica_name)
    #: Jobs that run at a time on this replica; more wait in the queue.
    max_jobs: Annotated[int, Field(gt=0, le=4096)] = 64
    #: Seconds of silence after which another replica may take a job over.
    lease_s: Seconds = 10.0
    #: Seconds that a finished job can be read.
    retention_s: Annotated[int, Field(gt=0)] = 24 * 3600
    #: Seconds for one step of a path: a draft, or a verification with its rewrite; retries included.
    step_timeout_s: Seconds = 300.0
    #: Seconds for selecting the strategies, retries included.
    select_timeout_s: Seconds = 120.0
