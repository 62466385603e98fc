"""One process at a time in a folder of results."""

from __future__ import annotations

import fcntl
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
