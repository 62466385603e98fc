"""Files that change while a service runs: certificates and keys, which others renew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

from ssr.core.errors import InvalidRequest

Content = TypeVar("Content")

_log = logging.getLogger(__name__)

#: Seconds between looks at the files. Kubernetes itself takes a minute to show a Secret that changed.
CHECK_S = 5.0


async def changes(read: Callable[[], Content], content: Content, what: str) -> AsyncGenerator[Content]:
    """What `read` gives, whenever it is another than before, from `content` on; for ever.

    `read` runs in a thread, and raises InvalidRequest for files that cannot be used: that is logged, once, as
    of `what`, and the files are read again later.
    """
    reported = ""
    while True:
        await asyncio.sleep(CHECK_S)
        try:
            read_now = await asyncio.to_thread(read)
        except InvalidRequest as error:
            if str(error) != reported:
                reported = str(error)
                _log.error("%s cannot be read again, what was read before stays in use: %s", what, error)
            continue
        reported = ""
        if read_now != content:
            content = read_now
            _log.info("%s changed; new calls go by what was read now", what)
            yield content
