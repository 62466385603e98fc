"""Bounds of repair from recorded samples."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ssr.core.errors import InvalidRequest
from ssr.core.evidence.prior import Prior
from ssr_bench.cli.app import bench_app
from ssr_bench.replay.method import read_method
from ssr_bench.replay.pool import PooledProblem, PoolTexts, Sample, pool_texts
from ssr_bench.replay.repairing import SharedStart, read_starts, repair_bounds, shared_starts, write_starts

RIGHT, WRONG, OTHER = ["2 * 3 = 6", "6 + 4 = 10"], ["2 * 3 = 6", "6 + 5 = 11"], ["1 + 1 = 2"]


def problem_of(drafts: str, targets: str) -> PooledProblem:
    """A letter a sample: r is right, any other is an answer of its own."""

    def sample(letter: str) -> Sample:
        return Sample("rwo".index(letter), 40, False)

    return PooledProblem("s", "1", tuple(map(sample, drafts)), tuple(map(sample, targets)))


def texts_of(drafts: str, targets: str) -> PoolTexts:
    said = {"r": tuple(RIGHT), "w": tuple(WRONG), "o": tuple(OTHER)}
    found = [tuple(said[letter] for letter in letters) for letters in (drafts, targets)]
    spent = [tuple((20,) * len(steps) for steps in samples) for samples in found]
    return PoolTexts("?", found[0], found[1], spent[0], spent[1])


def test_what_drafts_share_is_looked_for_in_right_samples() -> None:
    (start,) = shared_starts(problem_of("wwo", "ro"), texts_of("wwo", "ro"), 3)
    assert start == SharedStart((0, 1, 2), tokens=40, from_right=False, in_right=False, spared=None)
    starts = shared_starts(problem_of("rwoo", "ro"), texts_of("rwoo", "ro"), 3)
    assert [one.drafts for one in starts] == [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    assert starts[0] == SharedStart((0, 1, 2), tokens=20, from_right=True, in_right=True, spared=20.0)
    assert starts[2].tokens == 20  # the two that have nothing but their sum


def test_bounds_are_of_the_drafts_that_leave_doubt() -> None:
    doubt, sure = problem_of("rwo", "rrrr"), PooledProblem("s", "2", *[(Sample(0, 40, False),) * n for n in (3, 4)])
    starts = {
        ("s", "1"): [SharedStart((0, 1, 2), 20, True, True, 20.0)],
        ("s", "2"): [SharedStart((0, 1, 2), 30, True, True, 30.0)],
    }
    bounds = repair_bounds("s", [doubt, sure], starts, read_method("cascade"), lambda _: Prior())
    assert (bounds.asked, bounds.shared.value, bounds.tokens, bounds.spared.value) == (0.5, 1.0, 0.5, 0.5)
    assert (bounds.from_right, bounds.in_right.value, bounds.fresh.value) == (1.0, 1.0, 1.0)


def test_starts_are_read_back(tmp_path: Path) -> None:
    starts = {("s", "1"): [SharedStart((0, 1, 2), 20, True, False, None)]}
    write_starts(starts, tmp_path / "shared")
    assert read_starts(tmp_path / "shared") == starts
    (tmp_path / "bad").write_bytes(gzip.compress(b"[1]\n"))
    with pytest.raises(InvalidRequest, match="line 1"):
        read_starts(tmp_path / "bad")


def test_the_command_reads_a_folder_of_samples(tmp_path: Path) -> None:
    for name, letters in (("draft", "rwo"), ("target", "rrrr")):
        said = {"r": (RIGHT, "10"), "w": (WRONG, "11"), "o": (OTHER, "2")}
        samples = [
            {"steps": [[step, 20, -0.1] for step in said[letter][0]], "tok": 40, "ans": said[letter][1]}
            for letter in letters
        ]
        line = {"set": "s", "id": "1", "problem": "?", "answer": "10", "samples": samples}
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt") as samples_file:
            samples_file.write(json.dumps(line) + "\n")
    assert pool_texts(tmp_path)["s", "1"].drafts[2] == tuple(OTHER)
    file = tmp_path / "shared.jsonl.gz"
    done = CliRunner().invoke(bench_app, ["replay", str(tmp_path), "--repair", "--json", "--shared", str(file)])
    assert done.exit_code == 0, done.output
    (bounds,) = json.loads(done.stdout)
    assert (bounds["asked"], bounds["fresh"]["value"]) == (1.0, 1.0)
    assert read_starts(file)["s", "1"][0].tokens == 20
    assert CliRunner().invoke(bench_app, ["replay", str(tmp_path), "--shared", str(file)]).exit_code == 2
