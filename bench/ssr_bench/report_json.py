"""A report as JSON: its fields, and what it computes from them, at all depths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

#: A field's metadata: what a report is made from, and does not show.
UNREPORTED = {"reported": False}


def report_json(value: object) -> Any:
    """What `json.dumps` takes: a dataclass becomes an object of its fields and properties, settings one of theirs."""
    if is_dataclass(value) and not isinstance(value, type):
        properties = [name for name, member in vars(type(value)).items() if isinstance(member, property)]
        names = [*(field.name for field in fields(value) if field.metadata.get("reported", True)), *properties]
        return {name: report_json(getattr(value, name)) for name in names}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): report_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [report_json(item) for item in value]
    return value
