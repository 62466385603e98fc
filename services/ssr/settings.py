"""What the settings of all services have in common.

Each service has one frozen tree of settings, read once at its entry point from `SSR_<SERVICE>_*` environment variables
(nested fields behind "__", as in SSR_DRAFTER_ENGINE__URLS) and handed down. A value that is wrong fails the start, and
so does a variable with a service's prefix that is no setting of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ssr.core.errors import InvalidRequest

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class ServiceSettings(BaseSettings):
    """Where a service listens and how it ends."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_nested_delimiter="__", enable_decoding=False)

    #: The address to listen on; 0.0.0.0 in a container.
    host: str = "127.0.0.1"
    #: The port to listen on; 0 takes a free one.
    port: Port = 0
    #: Seconds that calls in flight have to finish when the service is asked to end.
    grace_s: Seconds = 20.0
    #: The lowest level that is logged.
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

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
