"""plan.json and records.jsonl: begun, gone on with, torn, refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from evaluation_records import BASELINE, SSD, call, drafted, path, plan_of, record, step, written
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.errors import Conflict, InvalidRequest
from ssr.core.job import JobStatus
from ssr.core.types import CallKind
from ssr_bench.evaluation.plan import Plan
from ssr_bench.evaluation.record import Record
from ssr_bench.evaluation.results import results_of
from ssr_bench.evaluation.run_directory import RECORDS, EvaluationOrigin, opened, publish, read
from ssr_bench.evaluation.table import grids, markdown

PLAN = plan_of((BASELINE, SSD))
ORIGIN = EvaluationOrigin(run_id="first", command="ssr bench accuracy")
RUN = record(SSD, paths=[drafted(8.0, 2.5), path(step(0, call(CallKind.WRITE, 3, 4, cached=1)), index=1)], seed=2**62)


def append(folder: Path, *records: Record, plan: Plan = PLAN) -> None:
    with opened(folder, plan, ORIGIN) as (file, _):
        for one in records:
            file.append(one)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    append(tmp_path / "new" / "runs", RUN)
    append(tmp_path / "new" / "runs", record(paths=written(5)))
    found = read(tmp_path / "new" / "runs")
    assert (found.name, found.plan, found.origin) == ("runs", PLAN, ORIGIN)
    assert found.records == (RUN, record(paths=written(5)))
    assert found.missing == 2


def test_going_on_knows_what_is_done(tmp_path: Path) -> None:
    lost = record(BASELINE, "p1", status=JobStatus.FAILED)
    append(tmp_path, RUN, lost)
    with opened(tmp_path, PLAN, EvaluationOrigin(run_id="second")) as (records, origin):
        assert records.done == {RUN.key}
        assert origin == ORIGIN
        records.append(record(BASELINE, "p1"))
    assert read(tmp_path).records == (RUN, record(BASELINE, "p1"))  # the newest counts


def test_what_is_published_has_no_texts_and_gives_the_same_tables(tmp_path: Path) -> None:
    spoken = step(0, call(CallKind.WRITE, 3, 4, cached=1)).model_copy(update={"text": "secret", "draft_text": "secret"})
    runs = [record(SSD, paths=[path(spoken)]), record(paths=written(5)), RUN]
    append(tmp_path / "runs", *(run.model_copy(update={"problem": "secret"}) for run in runs))
    out = tmp_path / "published" / "runs"
    publish(tmp_path / "runs", out)
    publish(tmp_path / "runs", tmp_path / "again")
    for file in out.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
        assert b"secret" not in (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes())
    kept, published = read(tmp_path / "runs"), read(out)
    assert published.records != kept.records
    tables = [markdown([one], grids(found)) for one in (kept, published) for _, found in results_of([one])]
    assert tables[0] == tables[1]
    with pytest.raises(Conflict, match="is packed"):
        append(out, RUN)


@given(cut=st.integers(1, len(RUN.model_dump_json())))
def test_a_torn_line_is_dropped(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    append(folder, RUN, record(problem="p1"))
    whole = (folder / RECORDS).read_bytes()
    (folder / RECORDS).write_bytes(whole + RUN.model_dump_json().encode()[:cut])
    assert len(read(folder).records) == 2
    append(folder)
    assert (folder / RECORDS).read_bytes() == whole


def test_another_plan_is_refused_by_name(tmp_path: Path) -> None:
    append(tmp_path, RUN)
    with pytest.raises(Conflict, match=r"has another plan: repeats 1 \(now 2\); give the same one"):
        append(tmp_path, plan=PLAN.model_copy(update={"repeats": 2}))
    assert read(tmp_path).records == (RUN,)


def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    with (
        opened(tmp_path, PLAN, ORIGIN),
        pytest.raises(Conflict, match="another process is at work"),
        opened(tmp_path, PLAN, ORIGIN),
    ):
        pass


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"has no plan.json"):
        read(tmp_path)
    append(tmp_path, RUN)
    text = (tmp_path / RECORDS).read_text()
    (tmp_path / RECORDS).write_text(text + text.replace('"repeat":0', '"repeat":"x"'))
    with pytest.raises(InvalidRequest, match=r"records.jsonl, line 2: repeat: "):
        read(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InvalidRequest, match=r"plan.json cannot be read: plan: "):
        read(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="^out: .* cannot be written to"):
        append(tmp_path / "file")
