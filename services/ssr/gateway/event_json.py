"""An event of a job as JSON, for the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ssr.client.job_json import job_to_json
from ssr.core.job import Event, Finished, Happening, Queued, Started
from ssr.core.run import PathEnded, Selected, StepCommitted


def event_to_json(event: Event) -> dict[str, Any]:
    """`kind` is "queued", "started", "selected", "step", "path_ended" or "finished"."""
    return {"cursor": event.cursor, "time": event.time.isoformat(), **_happening(event.happening)}


def _happening(happening: Happening) -> dict[str, Any]:
    match happening:
        case Queued():
            return {"kind": "queued"}
        case Started(epoch):
            return {"kind": "started", "epoch": epoch}
        case Selected(strategies):
            chosen = [{"code": one.code, "name": one.name, "hint": one.hint} for one in strategies]
            return {"kind": "selected", "strategies": chosen}
        case StepCommitted(path, step):
            return {"kind": "step", "path": path, "step": {**asdict(step), "source": str(step.source)}}
        case PathEnded():
            shown = {name: value for name, value in asdict(happening).items() if name != "calls"}
            return {"kind": "path_ended", **shown, "status": str(happening.status)}
        case Finished(job):
            return {"kind": "finished", "job": job_to_json(job)}
