"""A folder of results: one process at a time, and files that a crash leaves as they were, or as they shall be."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ssr.core.errors import Conflict


def lock(descriptor: int, folder: Path) -> None:
    """Keep other processes from `folder` until the descriptor, of it or of a file in it, is closed.

    Raises: Conflict when another process is at work there.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Conflict(f"another process is at work in {folder}; wait for it, or name another folder") from None


def write_whole(file: Path, text: str) -> None:
    """Durable when it returns. Raises: OSError."""
    part = file.with_name(file.name + ".part")
    with part.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
