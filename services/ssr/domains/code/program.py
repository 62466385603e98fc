"""Programs in paths, and what the caller's tests say of them.

The tests are Python, one a paragraph (parted by blank lines): each passes when it runs through behind the program, as
`assert add(2, 3) == 5` does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ssr.domains.code.sandbox import run_tests

_FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)


def extract(boxed: str, text: str) -> str:
    """The last program in the path's text; what is boxed where there is none."""
    programs = [found.strip("\n") for found in _FENCED.findall(text) if found.strip()]
    return programs[-1] if programs else boxed


def parted(tests: str) -> Sequence[str]:
    """The single tests."""
    return [part.strip("\n") for part in re.split(r"\n[ \t]*\n", tests) if part.strip()]


async def passes(answer: str, tests: str) -> bool | None:
    """Whether the program passes all tests; None without tests."""
    single = parted(tests)
    return all(await run_tests(answer, single)) if single else None


async def same_behaviour(a: str, b: str, tests: str) -> bool | None:
    """Whether both programs pass the same tests; without tests, whether they are the same text."""
    if _plain(a) == _plain(b):
        return True
    single = parted(tests)
    return bool(single) and await run_tests(a, single) == await run_tests(b, single)


def _plain(program: str) -> str:
    """Without comments of whole lines, blank lines and blanks at the ends."""
    lines = (line.rstrip() for line in program.splitlines())
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))
