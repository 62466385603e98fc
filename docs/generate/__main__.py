"""Makes the pages of docs/reference that come from the code: settings, commands, protocol.

python docs/generate            writes them
python docs/generate --check    exit status 1 when one of them is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from commands_page import cli_page
from pieces import MADE
from settings_page import settings_page

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def proto_page() -> str:
    """The wire contract, file by file."""
    parts = [
        "# Protocol",
        MADE,
        "The files of `proto/`, whole: every field with its unit and limits. `reasoning.proto` is the public API; the "
        "others are spoken among the services. Numbers of fields that went are reserved.",
    ]
    first = ROOT / "proto" / "ssr" / "v1" / "reasoning.proto"
    for file in [first, *(other for other in sorted((ROOT / "proto").rglob("*.proto")) if other != first)]:
        parts += [f"## {file.name}", f"`{file.relative_to(ROOT)}`", f"```protobuf\n{file.read_text().strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def pages() -> dict[Path, str]:
    """All pages by their files."""
    return {
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "proto.md": proto_page(),
    }


def main(arguments: list[str]) -> int:
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not up to date: run make reference", file=sys.stderr)  # noqa: T201
        return bool(stale)
    for path in stale:
        path.write_text(pages()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
