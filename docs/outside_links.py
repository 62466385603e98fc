"""For MkDocs: links to files of the repository outside docs/ become links to the forge, or plain text without one.

On a forge such links work as they are; the built site has no such files.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]\n]*)\]\((\.\./[^)\s]*)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """MkDocs' hook: the page's text as it goes to the renderer. Raises: FileNotFoundError for a file that is not."""
    root, folder = Path(config.config_file_path).parent, posixpath.dirname(f"docs/{page.file.src_uri}")

    def outside(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        if path.startswith("docs/"):
            return link[0]
        if not (root / path).exists():
            raise FileNotFoundError(f"docs/{page.file.src_uri} links to {path}, which does not exist")
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path})" if config.repo_url else text

    return _LINK.sub(outside, markdown)
