"""A comparison on disk: figures.json, and for each method samples-METHOD.jsonl and server-METHOD.log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssr.core.errors import Conflict, InvalidRequest, SsrError
from ssr_bench.consensus.end_to_end.figures import DraftingFigures
from ssr_bench.consensus.end_to_end.method import DraftingMethod
from ssr_bench.consensus.end_to_end.plan import EndToEndPlan
from ssr_bench.consensus.end_to_end.sampler import ServedSample
from ssr_bench.report_json import report_json
from ssr_bench.result_folder import lock, write_whole

FIGURES = "figures.json"


class Folder:
    """The comparison of one plan, begun or gone on with; no other process can do so until it is closed.

    Raises: Conflict when another plan's figures are there, naming the difference, or another process is at work in it;
    InvalidRequest when a file of it cannot be read or written.
    """

    def __init__(self, path: Path, plan: EndToEndPlan) -> None:
        self._path, self._plan = path, report_json(plan)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise InvalidRequest("out", f"{path} cannot be written to: {error.strerror}") from error
        try:
            lock(self._descriptor, path)
            self._figures = {one.method.name: one for one in self._read()}
        except SsrError:
            self.close()
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    @property
    def figures(self) -> tuple[DraftingFigures, ...]:
        """Of the methods that were measured, in the order of measuring."""
        return tuple(self._figures.values())

    def has(self, method: DraftingMethod) -> bool:
        """Whether the method was measured. Raises: Conflict when it was, and had other settings."""
        known = self._figures.get(method.name)
        if known is None:
            return False
        if known.method != method:
            raise Conflict(
                f"{self._path} has {method.name} measured with {_settings(known.method)}, and now it is "
                f"{_settings(method)}; name another folder"
            )
        return True

    def log(self, method: DraftingMethod) -> Path:
        return self._path / f"server-{method.name}.log"

    def samples(self, method: DraftingMethod) -> Path:
        return self._path / f"samples-{method.name}.jsonl"

    def begin(self, method: DraftingMethod) -> None:
        """What an interrupted measurement of the method left is thrown away."""
        self.samples(method).write_text("")

    def keep(self, method: DraftingMethod, sample: ServedSample) -> None:
        with self.samples(method).open("a", encoding="utf-8") as file:
            file.write(_line(sample))

    def finish(self, figures: DraftingFigures, samples: list[ServedSample]) -> None:
        """The method is measured. Its samples, kept as they ended, are put in order: a replay starts them in theirs."""
        ordered = sorted(samples, key=lambda one: (one.place, one.index))
        write_whole(self.samples(figures.method), "".join(map(_line, ordered)))
        self._figures[figures.method.name] = figures
        methods = [one.model_dump(mode="json") for one in self.figures]
        write_whole(self._path / FIGURES, json.dumps({"plan": self._plan, "methods": methods}, indent=2) + "\n")

    def _read(self) -> list[DraftingFigures]:
        file = self._path / FIGURES
        try:
            kept: dict[str, Any] = json.loads(file.read_bytes())
            plan = {"replay": "", **kept["plan"]}  # those of before had none
            methods = [DraftingFigures.model_validate(one) for one in kept["methods"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, LookupError, TypeError, ValidationError) as error:
            raise InvalidRequest("out", f"{file} cannot be read: {error}") from error
        if plan != self._plan:
            others = "; ".join(
                f"{name} is {plan.get(name)!r}, not {value!r}"
                for name, value in self._plan.items()
                if plan.get(name) != value
            )
            raise Conflict(f"{self._path} has another plan: {others}; give the same to go on, or name another folder")
        return methods


def _settings(method: DraftingMethod) -> str:
    return json.dumps({"speculation": method.speculation, **method.settings})


def _line(sample: ServedSample) -> str:
    """As `recordings` reads it."""
    answer = sample.answer
    ids = {"tokens": answer.tokens, "prompt": answer.prompt, "logprobs": answer.logprobs}
    known = {name: value for name, value in ids.items() if value is not None}
    line = {"problem": sample.problem.id, "sample": sample.index, **known, "text": answer.text}
    return json.dumps(line, ensure_ascii=False) + "\n"
