"""The orchestrator's settings: SSR_ORCHESTRATOR_*."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from ssr.autoscaler.policy.settings import ScalingSettings
from ssr.core.limits import MAX_LOOKAHEAD, MAX_PATH_TOKENS, MAX_PATHS, MAX_STEP_TOKENS
from ssr.core.types import MAX_SCORE, Options
from ssr.orchestrator.equivalence.settings import EquivalenceSettings
from ssr.orchestrator.file_settings import FileSettings
from ssr.orchestrator.rate_settings import NamedRates
from ssr.runtime.settings import Seconds, ServiceSettings, replica_name


def _limits_of(text: object) -> object:
    """A mapping from "tenant=limit,tenant=limit"; raises ValueError. Anything but text stays as it is."""
    if not isinstance(text, str):
        return text
    limits = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        tenant, equals, limit = item.partition("=")
        if not equals:
            raise ValueError(f"{item!r} is not TENANT=LIMIT")
        limits[tenant.strip()] = limit.strip()
    return limits


TenantLimits = Annotated[dict[str, Annotated[int, Field(gt=0)]], BeforeValidator(_limits_of)]


class DefaultOptions(BaseModel):
    """What applies where a request does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Paths of a job in modes that have several.
    paths: Annotated[int, Field(ge=1, le=MAX_PATHS)] = Options().paths
    #: A draft scored at least this stands, 0..9.
    threshold: Annotated[float, Field(ge=0, le=MAX_SCORE)] = Options().threshold
    #: A strategy set that the selector knows.
    strategy_set: str = Options().strategy_set
    #: Tokens of a step and of a path, at most.
    max_step_tokens: Annotated[int, Field(ge=1, le=MAX_STEP_TOKENS)] = Options().max_step_tokens
    max_path_tokens: Annotated[int, Field(ge=1, le=MAX_PATH_TOKENS)] = Options().max_path_tokens
    #: Tokens that a thinking model thinks on a path, at most; None: most of max_path_tokens.
    max_thinking_tokens: Annotated[int | None, Field(ge=0, le=MAX_PATH_TOKENS)] = None
    #: Whole steps drafted ahead of the one that is being scored, at most; None: as many as are worth it.
    lookahead: Annotated[int | None, Field(ge=0, le=MAX_LOOKAHEAD)] = Options().lookahead
    #: The share of the drafted tokens that may be thrown away for drafting ahead, 0..1.
    max_waste: Annotated[float, Field(ge=0, le=1)] = Options().max_waste
    #: Of the paths in mode ssr, those that the target writes alone, and only where the others leave the vote open.
    reserve: Annotated[int, Field(ge=0, lt=MAX_PATHS)] = Options().reserve

    #: Stop rule evidence: how sure an answer must be, what a further path must gain, and paths that begin together.
    confidence: Annotated[float, Field(gt=0, le=1)] = Options().confidence
    min_gain: Annotated[float, Field(ge=0, le=1)] = Options().min_gain
    batch: Annotated[int, Field(ge=1, le=MAX_PATHS)] = Options().batch

    @model_validator(mode="after")
    def _reserve_is_below_paths(self) -> Self:
        if self.reserve >= self.paths:
            raise ValueError(f"reserve must be below paths={self.paths}; got {self.reserve}")
        return self

    def options(self) -> Options:
        return Options(**self.model_dump())


class OrchestratorSettings(ServiceSettings):
    """Where Redis and the other services are, and how much one replica takes on."""

    model_config = SettingsConfigDict(env_prefix="SSR_ORCHESTRATOR_")

    #: redis://host:port/db, redis+sentinel://host:port,host:port/master/db or redis+cluster://host:port,host:port, each
    #: with user:password@ before the hosts and as rediss for TLS; or unix:///path.
    redis_url: str
    #: gRPC targets of the other services, "host:port" (dns:///host:port for all addresses of a headless Service).
    selector: str
    drafter: str
    verifier: str
    #: This replica's name among the queue's consumers: unique, as the host's name and process id are.
    replica: str = Field(default_factory=replica_name)
    #: What applies where a request does not say.
    defaults: DefaultOptions = DefaultOptions()
    #: A file with what is known of the two models (`ssr bench calibrate` writes it): the weights of votes for stop rule
    #: evidence, and the shape of mode cascade. None: what comes with SSR.
    calibration: Path | None = None
    #: Paths in flight on this replica; more jobs wait in the queue. Room for the largest job (16) is a must.
    max_paths: Annotated[int, Field(ge=MAX_PATHS, le=65_536)] = 1024
    #: Those of them that batch jobs may have, at most; the rest is kept for interactive ones.
    batch_paths: Annotated[int, Field(ge=MAX_PATHS, le=65_536)] = 768
    #: Jobs queued or running, of all replicas; one more is refused with a time to come back.
    max_unfinished: Annotated[int, Field(gt=0)] = 10_000
    #: Jobs of one tenant and priority that all replicas together work on at a time; more wait. None: no limit.
    tenant_jobs: Annotated[int, Field(gt=0)] | None = None
    #: Other limits for some tenants, as "acme=200,school-7=20".
    tenant_limits: TenantLimits = Field(default_factory=dict)
    #: Jobs, paths and generated tokens a minute of a tenant and of a caller (whose API key it is: of a tenant's name
    #: what is before the first dot), "*" for all that are not named, as "*=jobs:60,acme=jobs:600/tokens:1000000".
    #: More is refused with the time to come back. Empty: any number.
    tenant_rates: NamedRates = ""
    caller_rates: NamedRates = ""
    #: Unfinished jobs of one caller, of all its tenants together; more are refused. None: any number.
    caller_jobs: Annotated[int, Field(gt=0)] | None = None
    #: A job that so many replicas lost without handing it back is parked: it may be what kills them.
    max_takeovers: Annotated[int, Field(gt=0)] = 5
    #: Seconds of silence after which another replica may take a job over.
    lease_s: Seconds = 10.0
    #: What the files of callers may take.
    files: FileSettings = FileSettings()
    #: Seconds that a finished job can be read.
    retention_s: Annotated[int, Field(gt=0)] = 24 * 3600
    #: Seconds for one step of a path: a draft, or a verification with its rewrite; retries included.
    step_timeout_s: Seconds = 300.0
    #: Seconds for selecting the strategies, retries included.
    select_timeout_s: Seconds = 120.0
    #: Seconds by which each path of a job begins behind the one before it, for engines whose requests draft for each
    #: other (`ssr.consensus`): what is ahead helps most. The last of n paths begins (n - 1) times as late.
    stagger_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    #: The worker processes that compare answers, and their limits.
    equivalence: EquivalenceSettings = EquivalenceSettings()
    #: A folder with the API keys of callers, one file each: its name (A-Z a-z 0-9 _ -) is the caller's, its lines are
    #: keys that are good, of 16 characters at least (two while one is replaced). It is read again when it changes, and
    #: hidden files are none. A caller acts for the tenants NAME and NAME.ANYTHING. None: anybody may call, for all.
    api_keys: Path | None = None
    #: With API keys: the caller of this name sees the jobs of all tenants, acts for any of them, and may call
    #: AdminService (`ssr pause`, `ssr drain`, `ssr requeue`). Empty: nobody may. Without API keys everybody may.
    administrator: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    #: With API keys: a call sees the jobs of the tenant that it names alone (x-ssr-tenant; none: the caller's own
    #: name), not those of all the tenants under its key.
    subtenants_apart: bool = False
    #: With it, the jobs of a tenant share cached prefixes of vLLM and SGLang with that tenant's alone: nobody finds out
    #: from timings what another tenant has asked. Their salt is the tenant's name keyed with this, of 16 characters at
    #: least. None: all tenants share.
    cache_salt_key: Annotated[SecretStr | None, Field(min_length=16)] = None
    #: Report to KEDA how many engines each pool needs (externalscaler.ExternalScaler); one replica at a time decides.
    keda: bool = False
    #: For KEDA: how each pool may be scaled, as SSR_AUTOSCALER_SCALING__*.
    scaling: ScalingSettings = ScalingSettings()
    #: Seconds between reports of what the queue will ask of the engines.
    report_s: Seconds = 5.0
