"""The models that the gateway shows: names for a mode and options of SSR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from ssr.client.request import SolveOptions, resolved
from ssr.core.errors import InvalidRequest, NotFound
from ssr.gateway import fields
from ssr.gateway.errors import ApiError, refused

_SHIPPED = Path(__file__).with_name("models.yaml")
#: When the shipped models came to be, in seconds since 1970: clients want a time.
_CREATED = 1_764_000_000


@dataclass(frozen=True, slots=True)
class Model:
    """One name, and what it stands for; `efforts` by reasoning_effort: options over the model's own."""

    name: str
    description: str
    options: SolveOptions
    efforts: Mapping[str, SolveOptions]

    def at(self, effort: str | None, param: str = "reasoning_effort") -> SolveOptions:
        """The options with an effort. Raises: ApiError for one that the model does not have."""
        if effort is None:
            return self.options
        if effort not in self.efforts:
            known = ", ".join(self.efforts) or "none"
            raise refused(param, f"{self.name} has no {effort!r}; known are: {known}", "unsupported_value")
        return cast(SolveOptions, {**self.options, **self.efforts[effort]})

    def object(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "object": "model",
            "created": _CREATED,
            "owned_by": "ssr",
            "description": self.description,
        }


class Models:
    """All of them, by name and in the file's order."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models

    def get(self, name: str) -> Model:
        """Raises: ApiError 404 for an unknown one."""
        if (model := self._models.get(name)) is None:
            known = ", ".join(self._models)
            raise ApiError(
                404,
                f"The model {name!r} does not exist; known are {known}",
                "invalid_request_error",
                "model",
                "model_not_found",
            )
        return model

    def asked_in(self, body: Mapping[str, Any]) -> Model:
        """The one that a request names. Raises: ApiError where it names none, or an unknown one."""
        name = fields.text(body, "model")
        if not name:
            raise refused("model", "is needed; GET /v1/models has what there is", "missing_required_parameter")
        return self.get(name)

    def objects(self) -> list[dict[str, Any]]:
        return [model.object() for model in self._models.values()]


def load_models(file: Path | None) -> Models:
    """The models of a YAML file; None: those that come with SSR. Raises: InvalidRequest, NotFound. Blocks."""
    path = file or _SHIPPED
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise NotFound(f"models: {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidRequest("models", f"{path} is no YAML: {error}") from None
    if not isinstance(read, dict) or not read:
        raise InvalidRequest("models", f"{path} must map names of models to their options")
    return Models({str(name): _model(str(name), entry) for name, entry in read.items()})


def _model(name: str, entry: object) -> Model:
    if not isinstance(entry, dict) or not set(entry) <= {"description", "options", "efforts"}:
        raise InvalidRequest("models", f"{name} must have description, options and efforts, and nothing else")
    options: SolveOptions = entry.get("options") or {}
    efforts: dict[str, SolveOptions] = entry.get("efforts") or {}
    for effort, changed in {"": {}, **efforts}.items():
        try:
            resolved(cast(SolveOptions, {**options, **(changed or {})}))
        except (InvalidRequest, TypeError) as error:
            raise InvalidRequest("models", f"{name}, effort {effort!r}: {error}") from None
    return Model(
        name,
        str(entry.get("description", "")),
        options,
        {str(effort): changed or {} for effort, changed in efforts.items()},
    )
