"""Takes the proposer to where a vLLM can import it: python -m ssr.consensus.bundle FOLDER, then PYTHONPATH=FOLDER.

vLLM's image has no SSR, and SSR's dependencies are not wanted in it: the proposer needs these files alone, and of
other packages prometheus_client, which vLLM has.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import ssr

_FILES = ("__init__.py", "core/__init__.py", "core/errors.py", "consensus/*.py")


def bundle(folder: Path) -> None:
    """Copy the files to `folder`/ssr. Raises: OSError."""
    package = Path(ssr.__file__).parent
    for pattern in _FILES:
        for file in package.glob(pattern):
            copy = folder / "ssr" / file.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


if __name__ == "__main__":
    bundle(Path(sys.argv[1]))
