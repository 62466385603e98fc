"""What is taken into vLLM's image is all that the proposer needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_IMPORT = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import ssr.consensus.vllm
new = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
print(json.dumps({name: file for name, file in new.items() if name.partition(".")[0] not in sys.stdlib_module_names}))
"""


def test_the_proposer_imports_from_the_bundle_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "ssr.consensus.bundle", tmp_path], check=True)
    done = subprocess.run([sys.executable, "-I", "-c", _IMPORT, tmp_path], check=True, capture_output=True, text=True)
    modules: dict[str, str] = json.loads(done.stdout)
    assert {name.partition(".")[0] for name in modules} == {"ssr", "prometheus_client"}
    ours = {name: file for name, file in modules.items() if name.startswith("ssr")}
    assert len(ours) > 15
    assert all(file.startswith(str(tmp_path)) for file in ours.values()), ours
