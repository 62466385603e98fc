"""How long tests wait for what should come at once."""

from __future__ import annotations

#: Seconds until a test says that something hangs: many times what anything takes on a busy machine, and less than
#: pytest's own limit, which says nothing of what was waited for.
LIMIT_S = 100.0
