"""What is taken into vLLM's image is all that the proposer needs."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from zipfile import ZipFile

from ssr.consensus.bundle import bundle
from ssr.consensus.replay import register as register_replay
from ssr.consensus.vllm import register

_IMPORT = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import ssr.consensus.vllm
new = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
print(json.dumps({name: file for name, file in new.items() if name.partition(".")[0] not in sys.stdlib_module_names}))
"""


def _wheel(folder: Path, tags: str, file: str) -> None:
    with ZipFile(folder / f"ssr_consensus_native-9.9-{tags}.whl", "w") as wheel:
        wheel.writestr(f"ssr_consensus_native/{file}", "")
        wheel.writestr("ssr_consensus_native-9.9.dist-info/METADATA", "")


def test_the_native_drafter_of_this_machine_goes_along_for_every_python(tmp_path: Path) -> None:
    wheels, folder = tmp_path / "wheels", tmp_path / "bundle"
    wheels.mkdir()
    here = platform.machine()
    _wheel(wheels, f"cp311-cp311-manylinux_2_28_{here}", "_one.cpython-311-linux-gnu.so")
    _wheel(wheels, f"cp312-abi3-manylinux_2_28_{here}", "_one.abi3.so")
    _wheel(wheels, "cp312-abi3-manylinux_2_28_s390x", "_one.other.so")
    bundle(folder, wheels)
    names = {file.name for file in (folder / "ssr_consensus_native").iterdir()}
    assert {name for name in names if name.startswith("_one")} == {"_one.cpython-311-linux-gnu.so", "_one.abi3.so"}
    assert [file.name for file in folder.glob("*.dist-info")] == ["ssr_consensus.dist-info"]  # not the wheels'


def test_without_wheels_the_bundle_has_the_python_drafter(tmp_path: Path) -> None:
    bundle(tmp_path / "bundle", tmp_path / "nothing")
    assert (tmp_path / "bundle" / "ssr" / "consensus" / "drafter.py").exists()


def test_the_proposer_imports_from_the_bundle_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "ssr.consensus.bundle", tmp_path], check=True)
    done = subprocess.run([sys.executable, "-I", "-c", _IMPORT, tmp_path], check=True, capture_output=True, text=True)
    modules: dict[str, str] = json.loads(done.stdout)
    assert {name.partition(".")[0] for name in modules} == {"ssr", "prometheus_client"}
    ours = {name: file for name, file in modules.items() if name.startswith("ssr")}
    assert len(ours) > 15
    assert all(file.startswith(str(tmp_path)) for file in ours.values()), ours


def test_vllm_finds_the_plug_in_of_its_old_versions(tmp_path: Path) -> None:
    bundle(tmp_path)
    plug_ins = {
        point.name: point.load()
        for found in distributions(path=[str(tmp_path)])
        for point in found.entry_points.select(group="vllm.general_plugins")
    }
    assert plug_ins == {"ssr-consensus": register, "ssr-replay": register_replay}
    register_replay({"SSR_REPLAY": "0"})  # it would need vLLM
    register()  # there is no vLLM here, or one that needs nothing
