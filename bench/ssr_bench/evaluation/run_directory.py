"""An evaluation on disk: plan.json, and records.jsonl, which grows by a line with every run that is finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ssr.core.errors import Conflict, InvalidRequest
from ssr_bench.evaluation.json_lines import JsonLines, first_fault, read_lines
from ssr_bench.evaluation.plan import Plan
from ssr_bench.evaluation.record import Record, RunKey
from ssr_bench.whole_file import write_whole

PLAN, RECORDS = "plan.json", "records.jsonl"


class Origin(BaseModel):
    """Where an evaluation comes from; of no matter for going on with it. `run_id` is a random word."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    command: str = ""
    version: str = ""
    machine: str = ""
    note: str = ""
    server: str = ""
    created: str = ""


class _PlanFile(BaseModel):
    plan: Plan
    origin: Origin


class Evaluation(BaseModel):
    """An evaluation read back: what was planned, and the newest record of each run."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: Plan
    origin: Origin
    records: tuple[Record, ...]

    @property
    def missing(self) -> int:
        """Planned runs without a record."""
        return self.plan.count * len(self.plan.cells) * self.plan.repeats - len(self.records)


class Records:
    """records.jsonl, open for adding to it; `done` are the runs that need not be done again."""

    def __init__(self, lines: JsonLines[Record]) -> None:
        self._lines = lines
        self.done: frozenset[RunKey] = frozenset(record.key for record in _newest(lines.resume()) if not record.lost)

    def append(self, record: Record) -> None:
        """Durable when it returns."""
        self._lines.append(record)


@contextmanager
def opened(folder: Path, plan: Plan, origin: Origin) -> Iterator[tuple[Records, Origin]]:
    """The records of `plan` in `folder`, begun or gone on with; yields them and where the evaluation comes from.

    Raises: Conflict when another plan is there, naming the difference, or another process is at work in it;
    InvalidRequest when a file of it cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = JsonLines(folder / RECORDS, Record)
    except OSError as error:
        raise InvalidRequest("out", f"{folder} cannot be written to: {error.strerror}; name another folder") from error
    with closing(lines):
        kept = _settled(folder, plan, origin)
        yield Records(lines), kept


def read(folder: Path) -> Evaluation:
    """What is in `folder`, also while it is being added to.

    Raises: InvalidRequest when there is no evaluation, or a file of it cannot be read.
    """
    kept = _plan_file(folder)
    if kept is None:
        raise InvalidRequest("dir", f"{folder} has no {PLAN}; name a folder that `ssr bench accuracy --out` made")
    records = _newest(read_lines(folder / RECORDS, Record))
    return Evaluation(name=folder.resolve().name, plan=kept.plan, origin=kept.origin, records=records)


def _settled(folder: Path, plan: Plan, origin: Origin) -> Origin:
    """The origin that the folder has; its plan is `plan`."""
    kept = _plan_file(folder)
    if kept is None:
        write_whole(folder / PLAN, _PlanFile(plan=plan, origin=origin).model_dump_json(indent=2) + "\n")
        return origin
    if differences := kept.plan.differences(plan):
        reported = "; ".join(differences)
        raise Conflict(f"{folder} has another plan: {reported}; give the same one to go on, or name another folder")
    return kept.origin


def _plan_file(folder: Path) -> _PlanFile | None:
    try:
        return _PlanFile.model_validate_json((folder / PLAN).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reported = first_fault(error) if isinstance(error, ValidationError) else error
        raise InvalidRequest("dir", f"{folder / PLAN} cannot be read: {reported}") from error


def _newest(records: Iterator[Record]) -> tuple[Record, ...]:
    """The last record of each run: one that was lost may have been tried again."""
    return tuple({record.key: record for record in records}.values())
