"""Takes the proposer to where a vLLM can import it: python -m ssr.consensus.bundle FOLDER, then PYTHONPATH=FOLDER.

vLLM's image has no SSR, and SSR's dependencies are not wanted in it: the proposer needs these files alone, and of
other packages prometheus_client, which vLLM has. The native drafter goes along where it is: installed, or as wheels in
the folder `wheels` of this Python's prefix. Its file for each Python has a name of its own, so all of this machine's
wheels are taken, and whichever Python vLLM has imports the right one; where there is none, it drafts in Python.

Metadata beside them make a plug-in of vLLM's of it, which old versions need (`vllm_0_20`), and measurements (`replay`).
"""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import ssr

_FILES = ("__init__.py", "core/__init__.py", "core/allowance.py", "core/errors.py", "consensus/*.py")
_NATIVE = "ssr_consensus_native"
_METADATA = {
    "METADATA": "Metadata-Version: 2.1\nName: ssr-consensus\nVersion: {version}\n",
    "entry_points.txt": "[vllm.general_plugins]\nssr-consensus = ssr.consensus.vllm:register\n"
    "ssr-replay = ssr.consensus.replay:register\n",
}


def bundle(folder: Path, wheels: Path = Path(sys.prefix, "wheels")) -> None:
    """Copy the files to `folder`/ssr, and the native drafter beside it. Raises: OSError."""
    package = Path(ssr.__file__).parent
    for pattern in _FILES:
        for file in package.glob(pattern):
            copy = folder / "ssr" / file.relative_to(package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    plug_in = folder / "ssr_consensus.dist-info"
    plug_in.mkdir(parents=True, exist_ok=True)
    for name, text in _METADATA.items():
        (plug_in / name).write_text(text.format(version=ssr.__version__), encoding="utf-8")
    for wheel in sorted(wheels.glob(f"{_NATIVE}-*_{platform.machine()}.whl")):
        _unpack(wheel, folder)
    installed = find_spec(_NATIVE)
    for place in installed.submodule_search_locations or () if installed else ():
        shutil.copytree(place, folder / _NATIVE, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


def _unpack(wheel: Path, folder: Path) -> None:
    """The package in it, without its metadata."""
    with ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(f"{_NATIVE}/")])


if __name__ == "__main__":
    bundle(Path(sys.argv[1]))
