"""What a sitting measured: the server, its models and what serves them, as far as they report it.

A sitting is one call of `ssr bench accuracy`. What goes on with an evaluation must measure the same system, or its
table would compare two without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from ssr.client import AsyncClient, ServerInfo
from ssr.core.errors import BadReply, CapabilityMissing


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class ServedModel(_Model):
    """One model and what serves it; "" where it is not reported.

    `engine` is the kind of engine, `revision` the model's, `prompts` the fingerprint of what the service puts into its
    prompts, `scorer` the verifier's own, `version` that of the service.
    """

    name: str
    engine: str = ""
    engine_version: str = ""
    revision: str = ""
    prompts: str = ""
    scorer: str = ""
    version: str = ""


class MeasuredSystem(_Model):
    """A server ("": one of our own, for this sitting alone), its version, and its models by role."""

    server: str = ""
    version: str = ""
    models: dict[str, ServedModel] = {}

    @classmethod
    def of(cls, info: ServerInfo, server: str) -> Self:
        """As a server reports it."""
        models = {role: ServedModel(name=name, **info.provenance.get(role, {})) for role, name in info.models.items()}
        return cls(server=server, version=info.version, models=models)

    @property
    def scorer(self) -> str:
        """The scorer of jobs that name none; "" where it is not reported."""
        return self.models["target"].scorer if "target" in self.models else ""

    def differences(self, other: MeasuredSystem) -> list[str]:
        """What `other` has otherwise, for people; what either does not report is no difference."""
        found = [
            f"{name} {mine} (now {its})"
            for name, mine, its in (
                ("server", self.server, other.server),
                ("version", self.version, other.version),
            )
            if mine and its and mine != its
        ]
        for role, model in self.models.items():
            if (now := other.models.get(role)) is None:
                continue
            for name in ServedModel.model_fields:
                mine, its = getattr(model, name), getattr(now, name)
                if mine and its and mine != its:
                    found.append(f"{role} {_WORDS.get(name, name)} {mine} (now {its})")
        return found


async def reported_system(client: AsyncClient, server: str) -> MeasuredSystem:
    """What the client's server reports; an old one reports nothing. Raises: the client's other errors."""
    try:
        return MeasuredSystem.of(await client.server_info(), server)
    except (BadReply, CapabilityMissing):
        return MeasuredSystem(server=server)


_WORDS = {
    "name": "model",
    "engine_version": "engine's version",
    "revision": "model's revision",
    "version": "service's version",
}


class SittingRecord(_Model):
    """One sitting. `number` counts from 0; records name it.

    `commit` is that of this program ("": not a checkout; "+" behind it: changed files), `gpus` how many the engines had
    (None: not said), `changes` what differs from the first sitting, where that was asked for.
    """

    number: int = 0
    began: datetime
    system: MeasuredSystem = MeasuredSystem()
    command: str = ""
    commit: str = ""
    version: str = ""
    machine: str = ""
    note: str = ""
    gpus: float | None = None
    changes: tuple[str, ...] = ()


def described(model: ServedModel) -> str:
    """The model in a line, for people."""
    engine = " ".join(part for part in (model.engine, model.engine_version) if part)
    parts = {"on": engine, "revision": model.revision, "prompts": model.prompts, "scorer": model.scorer}
    return ", ".join([model.name, *(f"{name} {value}" for name, value in parts.items() if value)])


def seated(sitting: SittingRecord, earlier: Sequence[SittingRecord]) -> SittingRecord:
    """The sitting with its number, and what it changes against the first that reported a system."""
    known = next((one.system for one in earlier if one.system != MeasuredSystem()), None)
    changes = () if known is None else tuple(known.differences(sitting.system))
    return sitting.model_copy(update={"number": len(earlier), "changes": changes})
