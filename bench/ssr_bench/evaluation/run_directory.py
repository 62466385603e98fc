"""An evaluation on disk: plan.json, records.jsonl, which grows by a line with every run that is finished, and
sittings.jsonl, which grows by a line with every call that goes on with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ssr.core.errors import Conflict, InvalidRequest
from ssr_bench.evaluation.json_lines import JsonLines, first_fault, read_lines, write_packed
from ssr_bench.evaluation.plan import Plan
from ssr_bench.evaluation.record import Record, RunKey
from ssr_bench.evaluation.system import SittingRecord, seated
from ssr_bench.result_folder import write_whole

PLAN, RECORDS, SITTINGS = "plan.json", "records.jsonl", "sittings.jsonl"


_CHANGES = "give --allow-changes to go on nevertheless, and the tables show it, or name another folder"


class EvaluationOrigin(BaseModel):
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
    origin: EvaluationOrigin


class Evaluation(BaseModel):
    """An evaluation read back: what was planned, and the newest record of each run."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: Plan
    origin: EvaluationOrigin
    records: tuple[Record, ...]
    sittings: tuple[SittingRecord, ...] = ()

    @property
    def missing(self) -> int:
        """Planned runs without a record."""
        return self.plan.count * len(self.plan.cells) * self.plan.repeats - len(self.records)


class Records:
    """records.jsonl, open for adding to it; `done` are the runs that need not be done again."""

    def __init__(self, lines: JsonLines[Record], folder: Path | None = None) -> None:
        self._lines, self._folder, self._changes_allowed = lines, folder, False
        newest = _newest(lines.resume())
        self.done: frozenset[RunKey] = frozenset(record.key for record in newest if not record.lost)
        self._strategies = {
            (one.strategy_set, one.code): one.fingerprint for record in newest for one in record.strategies
        }

    def sit(self, sitting: SittingRecord, *, changes_allowed: bool = False) -> SittingRecord:
        """Begin a sitting; the one that is on record, with its number.

        Raises: Conflict when it would measure another system than the ones before, unless that is allowed.
        """
        if self._folder is None:
            return sitting
        self._changes_allowed = changes_allowed
        with closing(JsonLines(self._folder / SITTINGS, SittingRecord)) as file:
            earlier = tuple(file.resume())
            seat = seated(sitting, earlier)
            if seat.changes and self.done and not changes_allowed:
                raise Conflict(f"{self._folder} was measured on another system: {'; '.join(seat.changes)}; {_CHANGES}")
            file.append(seat)
        return seat

    def append(self, record: Record) -> None:
        """Durable when it returns. Raises: Conflict for a strategy that had another text, unless that is allowed."""
        for one in record.strategies:
            key = one.strategy_set, one.code
            if self._strategies.setdefault(key, one.fingerprint) != one.fingerprint and not self._changes_allowed:
                raise Conflict(f"strategy {one.code} of {one.strategy_set} has another text than before; {_CHANGES}")
        self._lines.append(record)


@contextmanager
def opened(folder: Path, plan: Plan, origin: EvaluationOrigin) -> Iterator[tuple[Records, EvaluationOrigin]]:
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
        yield Records(lines, folder), kept


def read(folder: Path) -> Evaluation:
    """What is in `folder`, also while it is being added to.

    Raises: InvalidRequest when there is no evaluation, or a file of it cannot be read.
    """
    kept = _plan_file(folder)
    if kept is None:
        raise InvalidRequest("dir", f"{folder} has no {PLAN}; name a folder that `ssr bench accuracy --out` made")
    records = _newest(read_lines(folder / RECORDS, Record))
    sittings = tuple(read_lines(folder / SITTINGS, SittingRecord))
    return Evaluation(
        name=folder.resolve().name, plan=kept.plan, origin=kept.origin, records=records, sittings=sittings
    )


def publish(folder: Path, out: Path) -> None:
    """Writes the evaluation in `folder` to `out`, packed and without texts of problems and steps.

    All figures can be computed from that; it cannot be gone on with. Raises: InvalidRequest as `read`.
    """
    evaluation = read(folder)
    out.mkdir(parents=True, exist_ok=True)
    plan = _PlanFile(plan=evaluation.plan, origin=evaluation.origin)
    write_whole(out / PLAN, plan.model_dump_json(indent=2) + "\n")
    write_packed(out / RECORDS, [record.without_texts() for record in evaluation.records])
    write_packed(out / SITTINGS, evaluation.sittings)


def _settled(folder: Path, plan: Plan, origin: EvaluationOrigin) -> EvaluationOrigin:
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
