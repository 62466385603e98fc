"""A real Prometheus that collects a release and evaluates its alerts; without its program the tests are skipped."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from ssr.cli.stack.ports import free_port

_START_S = 30


@dataclass(frozen=True)
class Prometheus:
    """It listens on this URL."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query. Raises: AssertionError where Prometheus does not take it."""
        answer = self._get("query", query=expression)
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """The alerts, with their health and state."""
        return [rule for group in self._get("rules")["data"]["groups"] for rule in group["rules"]]

    def targets(self) -> dict[str, str]:
        """Job -> health."""
        return {one["labels"]["job"]: one["health"] for one in self._get("targets")["data"]["activeTargets"]}

    def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/api/v1/{what}?{urlencode(parameters)}", timeout=10) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer


@contextmanager
def running_prometheus(
    folder: Path, targets: Mapping[str, Mapping[str, str]], rules: Mapping[str, Any]
) -> Iterator[Prometheus]:
    """Collects each second from `targets` (address -> labels), and evaluates the rules each second."""
    if shutil.which("prometheus") is None:
        pytest.skip("the test needs prometheus; on Debian: apt install prometheus")
    (folder / "rules.yaml").write_text(yaml.safe_dump(dict(rules)))
    static = [{"targets": [address], "labels": dict(labels)} for address, labels in targets.items()]
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "release", "honor_labels": True, "static_configs": static}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    url = f"127.0.0.1:{free_port()}"
    files = (f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *files, f"--web.listen-address={url}"], stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://{url}")
        _until_ready(server, process, folder / "prometheus.log")
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _until_ready(server: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while True:
        try:
            with urlopen(f"{server.url}/-/ready", timeout=2):
                return
        except (URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
