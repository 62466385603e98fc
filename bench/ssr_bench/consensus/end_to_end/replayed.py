"""Recorded samples that a server is to write again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ssr.core.errors import InvalidRequest
from ssr_bench.consensus.recordings import read_recordings
from ssr_bench.evaluation.dataset import Problem


@dataclass(frozen=True, slots=True)
class Replay:
    """Token ids by problem and sample; `fingerprint` is the file's."""

    fingerprint: str
    samples: Mapping[tuple[str, int], tuple[int, ...]]

    @classmethod
    def read(cls, path: Path, problems: Sequence[Problem], samples: int) -> Replay:
        """What the problems' first `samples` samples wrote.

        Raises: InvalidRequest where the file cannot be read, has texts alone, or lacks one of them.
        """
        recorded = {
            (problem.name, one.name): one.tokens for problem in read_recordings(path) for one in problem.recordings
        }
        lines = path.read_text(encoding="utf-8").splitlines()
        if any("tokens" not in json.loads(line) for line in lines if line.strip()):
            raise InvalidRequest("replay", f"{path} has texts, and a server needs token ids")
        chosen: dict[tuple[str, int], tuple[int, ...]] = {}
        for problem in problems:
            for index in range(samples):
                tokens = recorded.get((problem.id, str(index)), ())
                if not tokens:
                    raise InvalidRequest("replay", f"{path} has no tokens of problem {problem.id}, sample {index}")
                chosen[problem.id, index] = tokens
        return cls(sha256(path.read_bytes()).hexdigest()[:16], chosen)

    def tokens(self, problem: str, sample: int) -> tuple[int, ...]:
        """Of one sample. Raises: KeyError where it is none of those that were read."""
        return self.samples[problem, sample]
