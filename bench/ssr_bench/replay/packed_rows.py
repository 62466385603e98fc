"""Rows of JSON in a file packed by gzip: records that are small enough to publish."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ssr.core.errors import InvalidRequest

Row = TypeVar("Row")


def write_rows(rows: Iterable[Sequence[Any]], file: Path) -> None:
    """A line a row; the same bytes for the same ones."""
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode())
    file.write_bytes(packed.getvalue())


def read_rows(file: Path, read: Callable[..., Row], fault: str) -> list[Row]:
    """What `read` makes of each row's values.

    Raises: InvalidRequest naming the file; with the line and `fault` where it can make nothing of one.
    """
    try:
        text = gzip.decompress(file.read_bytes()).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidRequest("dir", f"{file} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(read(*json.loads(line)))
        except (ValueError, TypeError, IndexError) as error:
            raise InvalidRequest("dir", f"{file}, line {number}: {fault}: {error}") from error
    return found
