"""Lines that are appended, read meanwhile, torn, broken, and nobody else's to write."""

from __future__ import annotations

import gzip
import os
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import BaseModel

from ssr.core.errors import Conflict, InvalidRequest
from ssr_bench.evaluation.json_lines import JsonLines, read_lines


class Row(BaseModel):
    numbers: tuple[int, ...] = ()


ONE, TWO = Row(numbers=(1,)), Row(numbers=(2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_a_line_is_on_disk_when_it_is_appended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.read_bytes()))
    assert list(read_lines(path, Row)) == []
    with closing(JsonLines(path, Row)) as lines:
        lines.append(ONE)
        assert list(read_lines(path, Row)) == [ONE]
        lines.append(TWO)
    assert synced == [b'{"numbers":[1]}\n', b'{"numbers":[1]}\n{"numbers":[2,3]}\n']


@pytest.mark.parametrize("whole", [b"", b'{"numbers":[1]}\n'])
def test_a_torn_line_is_passed_over_by_readers_and_dropped_by_who_goes_on(path: Path, whole: bytes) -> None:
    path.write_bytes(whole + b'{"numbers":[7')
    found = [ONE] if whole else []
    assert list(read_lines(path, Row)) == found
    with closing(JsonLines(path, Row)) as lines:
        assert path.read_bytes() != whole, "opening it alone changes nothing"
        assert list(lines.resume()) == found
        lines.append(TWO)
    assert path.read_bytes() == whole + b'{"numbers":[2,3]}\n'


def test_it_is_nobody_elses_until_it_is_closed(path: Path) -> None:
    with closing(JsonLines(path, Row)):
        for _ in range(2):
            with pytest.raises(Conflict, match=f"^another process is at work in {path.parent}; wait for it, or name"):
                JsonLines(path, Row)
    with closing(JsonLines(path, Row)) as lines:
        lines.append(ONE)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"numbers":[1,"x"]}', "numbers.1: Input should be a valid integer"),
        ("", "the whole: Invalid JSON"),
        ("[]", "the whole: Input should be an object"),
    ],
)
def test_a_broken_line_is_named(path: Path, line: str, fault: str) -> None:
    path.write_text(f"{{}}\n{line}\n{{}}\n")
    with pytest.raises(InvalidRequest, match=f"^dir: {path}, line 2: {fault}"):
        list(read_lines(path, Row))


def test_where_no_file_can_be_is_an_error_of_the_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        JsonLines(path / "none", Row)


def test_a_packed_file_is_read_and_not_gone_on_with(path: Path) -> None:
    path.with_name("rows.jsonl.gz").write_bytes(gzip.compress(b'{"numbers":[1]}\n{"numbers":[2,3]}\n'))
    assert list(read_lines(path, Row)) == [ONE, TWO]
    with pytest.raises(Conflict, match="is packed"):
        JsonLines(path, Row)
    assert not path.exists()
