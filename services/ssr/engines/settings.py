"""The settings of an engine pool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ssr.core.errors import InvalidRequest
from ssr.engines.replicas import resolver_of


class EngineSettings(BaseModel):
    """Where an engine's replicas are, and how they are talked to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: The HTTP API: "tgi" (TGI and the embedded and simulated engines) or OpenAI's. "vllm", "sglang" and "llamacpp" say
    #: whose server with OpenAI's API it is; "openai" finds that out, and is for all others too.
    kind: Literal["tgi", "openai", "vllm", "sglang", "llamacpp"] = "tgi"
    #: Base URLs of the replicas, dns://host:port for all addresses of a headless service, or file:///path for the URLs
    #: in that file, one a line; a list or comma-separated.
    urls: tuple[str, ...]
    #: The model to ask for; None is the only or first one the engine serves. A TGI engine serves just one.
    model: str | None = None
    #: Sent to the engine as a bearer token; None sends none.
    api_key: SecretStr | None = None
    #: The model's size for the FLOPs ledger; None takes it from the engine or the model's name.
    parameters: Annotated[int, Field(gt=0)] | None = None
    #: Send the seeds of jobs. False for an engine that cannot take them, such as vLLM on a CPU; then equal seeds do not
    #: give equal steps.
    seeded: bool = True
    #: Send nothing beyond OpenAI's own API. Otherwise an unknown server is sent the fields that make sampling plain
    #: (top_k, min_p, repetition_penalty) until it refuses them.
    standard_only: bool = False
    #: The engine schedules by priority: vLLM with --scheduling-policy priority, SGLang with
    #: --enable-priority-scheduling. Others refuse or ignore priorities.
    priorities: bool = False
    #: Have vLLM report the log probability of each token that it writes: stop rule evidence weighs paths by them. Our
    #: own engines report them anyway; other servers' are those after temperature and top_p, and are not asked for.
    logprobs: bool = False
    #: Calls at a time on one replica; more wait in the pool. Half of TGI's own default limit of 128, so that two
    #: services can share a replica.
    max_in_flight: Annotated[int, Field(gt=0)] = 64
    #: For a call with all its waiting and retries, in seconds.
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    #: For making a connection, in seconds.
    connect_timeout_s: Annotated[float, Field(gt=0)] = 5.0
    #: How often a call is tried, on different replicas if there are.
    attempts: Annotated[int, Field(gt=0)] = 3
    #: Seconds between looks at which replicas a dns:// or file:// URL stands for.
    refresh_s: Annotated[float, Field(gt=0)] = 5.0
    #: The paths of a job prefer one replica, where its prompt is cached and its paths may draft for each other, as long
    #: as that has not much more than its share of calls. False: each path prefers a replica of its own, which is better
    #: for engines on CPUs, where requests at a time slow each other down.
    gather_jobs: bool = True
    #: A model's folder, tokenizer_config.json or chat_template.jinja, used instead of asking the engine to render.
    chat_template: Path | None = None

    @field_validator("urls", mode="before")
    @classmethod
    def _split(cls, urls: Any) -> Any:
        return tuple(part.strip() for part in urls.split(",") if part.strip()) if isinstance(urls, str) else urls

    @field_validator("urls")
    @classmethod
    def _check(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        try:
            resolver_of(urls)
        except InvalidRequest as error:
            raise ValueError(str(error)) from error
        return urls
