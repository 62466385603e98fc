"""Where model files come from."""

from __future__ import annotations

from typing import Protocol

from ssr.engine_server.models.catalogue import ModelFile
from ssr.engine_server.models.part import PartFile
from ssr.engine_server.models.progress import PullProgress


class ModelSource(Protocol):
    """A place that has model files."""

    @property
    def title(self) -> str:
        """What users call it."""
        ...

    def offers(self, model: ModelFile) -> bool:
        """Whether the place is said to have this model. Asks nobody."""
        ...

    def space_needed(self, model: ModelFile, part: PartFile) -> int:
        """The bytes of disk space that `fetch` takes, beside what `part` has already."""
        ...

    async def fetch(self, model: ModelFile, part: PartFile, progress: PullProgress) -> None:
        """Complete `part`, beginning with what it has, and report `progress` (from `start` on, without `finish`).

        What was fetched before an error or a cancellation stays in `part`. Nothing is verified here.
        Raises `Unavailable` where the source cannot be reached or refuses, `BadReply` where it gives something else
        than the model, `OSError` where the disk does not take the bytes.
        """
        ...
