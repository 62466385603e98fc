"""Small JSON records beside the model files."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

R = TypeVar("R", bound=BaseModel)


def read_record(path: Path, kind: type[R]) -> R | None:
    """The record at `path`; None where there is none or it cannot be understood."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_record(path: Path, record: BaseModel) -> None:
    """Replace the record at `path` atomically. Raises `OSError`."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(path)
