"""One leader among the replicas: whoever holds the lock, for as long as it can renew it."""

from __future__ import annotations

from typing import Protocol


class Lock(Protocol):
    """A lock that expires by itself `lease_s` after it was last taken or renewed. Raises: Retryable, Permanent."""

    async def hold(self) -> bool:
        """Take the lock, or renew it; whether it is ours now."""
        ...

    async def release(self) -> None:
        """Give it back, if it is ours, for another replica to take at once."""
        ...
