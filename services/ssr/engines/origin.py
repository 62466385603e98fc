"""On whose behalf a service works while it serves a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ssr.engines.base import ANYONE, BATCH_PRIORITY, ORIGIN, Origin


@contextmanager
def work_of(batch: bool) -> Iterator[None]:
    """The block's engine calls are batch work, or not; batch work waits behind the rest."""
    token = ORIGIN.set(Origin(priority=BATCH_PRIORITY) if batch else ANYONE)
    try:
        yield
    finally:
        ORIGIN.reset(token)
