from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ssr.core.errors import CapabilityMissing
from ssr_bench.process_tree import ProcessStat, parse_stat, read_usage, tree_of

#: pid, name, state, parent, ... utime 7, stime 5, cutime 3, cstime 1, ... rss 250.
LINE = "42 (a (b) c) S 7 42 42 0 -1 4194560 1 2 3 4 7 5 3 1 20 0 9 0 100 9999 250 18446744073709551615 1 1"


def stat(pid: int, parent: int) -> ProcessStat:
    return ProcessStat(pid, parent, ticks=1, rss_pages=1)


def test_a_line_is_read_around_the_brackets_of_a_name() -> None:
    assert parse_stat(LINE) == ProcessStat(pid=42, parent=7, ticks=16, rss_pages=250)


def test_a_tree_has_all_descendants_and_nobody_else() -> None:
    stats = [stat(9, 5), stat(5, 2), stat(2, 1), stat(6, 2), stat(3, 1)]
    assert {one.pid for one in tree_of(2, stats)} == {2, 5, 6, 9}
    assert tree_of(77, stats) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_is_read_with_its_children() -> None:
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # until it runs it has no memory of its own
        usages = read_usage({"child": child.pid, "both": os.getpid(), "nobody": 2**22 + 1})
        child.communicate(b"\n")
    assert usages["both"].rss_bytes > usages["child"].rss_bytes > 0
    assert usages["both"].cpu_s > 0
    assert (usages["nobody"].cpu_s, usages["nobody"].rss_bytes) == (0, 0)


def test_a_system_without_proc_is_reported_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ssr_bench.process_tree._PROC", tmp_path)
    with pytest.raises(CapabilityMissing, match="run it on Linux"):
        read_usage({})
