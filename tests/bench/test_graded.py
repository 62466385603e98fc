"""A pool without texts is read back as it was, and is the same file again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssr.core.errors import InvalidRequest
from ssr_bench.replay.graded import read_graded, write_graded
from ssr_bench.replay.pool import PooledProblem, Sample

POOL = (
    PooledProblem("gsm8k", "a", (Sample(0, 10, False, 0.5), Sample(None, 3, True)), (Sample(2, 7, False, 0.25, 1.5),)),
    PooledProblem("", "b", (), (Sample(0, 1, False),)),
)


def test_a_pool_is_read_back(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_graded(POOL, tmp_path / name)
    assert read_graded(tmp_path / "one") == POOL
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_no_pool_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"no")
    with pytest.raises(InvalidRequest, match=r"^dir: .*bad cannot be read"):
        read_graded(tmp_path / "bad")
