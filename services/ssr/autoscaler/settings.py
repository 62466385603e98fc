"""The autoscaler's settings: SSR_AUTOSCALER_*."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import SettingsConfigDict

from ssr.autoscaler.policy.settings import ScalingSettings
from ssr.engines.load import Pool
from ssr.runtime.settings import Seconds, ServiceSettings, replica_name

#: A name of a Kubernetes object.
Name = Annotated[str, Field(pattern="^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Deployments(BaseModel):
    """The Deployment of each pool's engines; None: that pool is not ours to scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draft: Name | None = None
    target: Name | None = None

    @property
    def of(self) -> dict[Pool, str]:
        names = {Pool.DRAFT: self.draft, Pool.TARGET: self.target}
        return {pool: name for pool, name in names.items() if name is not None}


class AutoscalerSettings(ServiceSettings):
    """What is scaled, and who decides."""

    model_config = SettingsConfigDict(env_prefix="SSR_AUTOSCALER_")

    #: As the orchestrator's redis_url: where the load is reported, and decisions are kept.
    redis_url: str
    #: This replica's name among those that may lead.
    replica: str = Field(default_factory=replica_name)
    #: The Kubernetes namespace of the Deployments and of the lease; None: the one that the pod runs in.
    namespace: Name | None = None
    #: What is scaled.
    deployments: Deployments
    #: How.
    scaling: ScalingSettings = ScalingSettings()
    #: The Lease that the leader holds.
    lease: Name = "ssr-autoscaler"
    #: Seconds without renewal after which another replica may lead.
    lease_s: Seconds = 15.0
    #: Seconds after which a leader that cannot renew stops deciding; less than lease_s, for clocks and delays.
    renew_s: Seconds = 10.0
    #: Seconds between attempts to take or renew the lease.
    retry_s: Seconds = 2.0
    #: Seconds for one call of the Kubernetes API.
    api_timeout_s: Seconds = 5.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.retry_s < self.renew_s < self.lease_s:
            raise ValueError(
                f"retry_s {self.retry_s:g} < renew_s {self.renew_s:g} < lease_s {self.lease_s:g} must hold, so that "
                "a leader stops before another one begins"
            )
        if not self.deployments.of:
            raise ValueError("deployments: name the one of the draft or of the target engines, or both")
        return self
