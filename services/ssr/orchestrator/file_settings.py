"""How much the files of callers may take."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_MIB = 1024 * 1024


class FileSettings(BaseModel):
    """Bounds of what FileService keeps, which lies in Redis' memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Bytes of one file, at most.
    max_bytes: Annotated[int, Field(ge=1, le=12 * _MIB)] = 8 * _MIB
    #: Bytes of one tenant's files together, and how many files it may have.
    tenant_bytes: Annotated[int, Field(ge=1)] = 64 * _MIB
    tenant_files: Annotated[int, Field(ge=1, le=10_000)] = 1000
    #: Bytes of all files.
    total_bytes: Annotated[int, Field(ge=1)] = 256 * _MIB
    #: Seconds that a file is kept, at most.
    kept_s: Annotated[int, Field(ge=60, le=30 * 24 * 3600)] = 7 * 24 * 3600

    @model_validator(mode="after")
    def _largest_fits(self) -> Self:
        if not self.max_bytes <= self.tenant_bytes <= self.total_bytes:
            raise ValueError(
                f"max_bytes={self.max_bytes}, tenant_bytes={self.tenant_bytes} and total_bytes={self.total_bytes} "
                "must not fall"
            )
        return self
