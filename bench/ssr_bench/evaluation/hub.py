"""Datasets of the Hugging Face hub, row by row through its dataset viewer, which needs no reader of Parquet files.

`GET /rows?dataset=&config=&split=&offset=&length=` answers with at most 100 `rows` and `num_rows_total`
(https://huggingface.co/docs/dataset-viewer/rows). What was fetched is kept as a JSONL file in the format of `dataset`.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
from pydantic_settings import BaseSettings, SettingsConfigDict

from ssr.core.errors import BadReply, InvalidRequest, NotFound, SsrError, Unavailable
from ssr.core.methods import MethodKind, found_methods, method_named
from ssr.core.retry import Backoff, FailuresInARow
from ssr_bench.evaluation.dataset import Problem, problem_of, read_problems

#: The most the viewer gives at once.
PAGE_ROWS = 100
#: For one page, in seconds.
_PAGE_LIMIT_S = 60.0
#: The viewer may have to load a dataset first.
_RETRIES = Backoff(first_s=2.0, max_s=16.0, patience_s=math.inf, attempts=5)


class DatasetsSettings(BaseSettings):
    """Where datasets come from and are kept: SSR_DATASETS_*."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SSR_DATASETS_")

    #: The folder they are kept in; "~" is the home folder.
    dir: Path = Path("~/.cache/ssr/datasets")
    #: The dataset viewer, or a mirror of it.
    url: str = "https://datasets-server.huggingface.co"


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HubDataset:
    """Where a dataset is on the hub, and what a row of it is in our format."""

    repository: str
    config: str
    split: str
    fields: Callable[[int, Row], dict[str, Any]]


def _gsm8k(number: int, row: Row) -> dict[str, Any]:
    _, mark, answer = str(row["answer"]).rpartition("####")  # behind the worked solution
    return {"id": f"gsm8k-{number}", "problem": row["question"], "answer": answer.replace(",", "") if mark else ""}


def _math500(number: int, row: Row) -> dict[str, Any]:
    return {"id": row["unique_id"], "problem": row["problem"], "answer": row["answer"]}


def _aime2024(number: int, row: Row) -> dict[str, Any]:
    return {"id": f"aime2024-{row['id']}", "problem": row["problem"], "answer": row["answer"]}


def _livemathbench(number: int, row: Row) -> dict[str, Any]:
    options = [str(option) for option in row.get("options") or []]
    question = "\n".join([str(row["question"]), *options])  # they bring their labels
    return {"id": f"livemathbench-{number}", "problem": question, "answer": row["answer"]}


def _svamp(number: int, row: Row) -> dict[str, Any]:
    body = str(row["Body"]).strip()
    problem = f"{body if body.endswith(('.', '?', '!')) else body + '.'} {str(row['Question']).strip()}"
    return {"id": f"svamp-{row['ID']}", "problem": problem, "answer": _plain_number(str(row["Answer"]))}


def _asdiv(number: int, row: Row) -> dict[str, Any]:
    problem = f"{str(row['body']).strip()} {str(row['question']).strip()}"
    return {"id": f"asdiv-{number}", "problem": problem, "answer": str(row["answer"]).partition("(")[0].strip()}


def _multiarith(number: int, row: Row) -> dict[str, Any]:
    return {
        "id": f"multiarith-{number}",
        "problem": str(row["question"]).strip(),
        "answer": _plain_number(str(row["final_ans"])),
    }


def _plain_number(text: str) -> str:
    """`8.0` as 8."""
    return text.strip().removesuffix(".0")


HUB_DATASETS: Mapping[str, HubDataset] = MappingProxyType(
    {
        "gsm8k": HubDataset("openai/gsm8k", "main", "test", _gsm8k),
        "math500": HubDataset("HuggingFaceH4/MATH-500", "default", "test", _math500),
        "aime2024": HubDataset("HuggingFaceH4/aime_2024", "default", "train", _aime2024),
        "svamp": HubDataset("ChilleD/SVAMP", "default", "test", _svamp),
        "asdiv": HubDataset("EleutherAI/asdiv", "asdiv", "validation", _asdiv),
        "multiarith": HubDataset("ChilleD/MultiArith", "default", "test", _multiarith),
        "livemathbench": HubDataset("opencompass/LiveMathBench", "v202412_AMC_en", "test", _livemathbench),
    }
)


async def load_dataset(name: str, settings: DatasetsSettings | None = None) -> tuple[Problem, ...]:
    """All problems of a dataset of the hub, or of a JSONL file.

    Raises: InvalidRequest for what is neither, or not in the format; Unavailable, NotFound or BadReply when the hub
    does not give it.
    """
    if name in found_methods(MethodKind.DATASET):
        rows = await method_named(MethodKind.DATASET, name)()
        return tuple(problem_of(row, f"{name}, row {number}") for number, row in enumerate(rows))
    if name not in HUB_DATASETS:
        if not name.endswith(".jsonl"):
            raise InvalidRequest("dataset", f"{name!r} is unknown; give {', '.join(HUB_DATASETS)}, or a .jsonl file")
        return await asyncio.to_thread(read_problems, Path(name))
    settings = settings or DatasetsSettings()
    kept = settings.dir.expanduser() / f"{name}.jsonl"
    if not await asyncio.to_thread(kept.is_file):
        await asyncio.to_thread(_keep, kept, await _fetched(name, settings.url.rstrip("/")))
    return await asyncio.to_thread(read_problems, kept)


async def _fetched(name: str, url: str) -> list[dict[str, Any]]:
    """The dataset's rows in our format, each checked."""
    source, found, total = HUB_DATASETS[name], list[dict[str, Any]](), 1
    where = {"dataset": source.repository, "config": source.config, "split": source.split}
    timeout = aiohttp.ClientTimeout(total=_PAGE_LIMIT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        while len(found) < total:
            page = await _page(session, f"{url}/rows", {**where, "offset": len(found), "length": PAGE_ROWS})
            rows, total = _rows(page, source.repository)
            for row in rows:
                found.append(_converted(source, len(found), row))
    return found


async def _page(session: aiohttp.ClientSession, url: str, query: Mapping[str, Any]) -> Any:
    """One page, tried again where that may help."""
    advice = "give a JSONL file instead, or name a mirror (SSR_DATASETS_URL)"
    failures = FailuresInARow(_RETRIES)
    while True:
        try:
            async with session.get(url, params=query) as reply:
                if reply.status == 200:
                    return await reply.json(content_type=None)
                reported = f"{url} answers {reply.status} for {query['dataset']}: {(await reply.text())[:200]}"
                error: SsrError = Unavailable(f"{reported}; {advice}")
                if reply.status in (401, 403, 404, 422):
                    raise NotFound(f"{reported}; {advice}")
        except ValueError as malformed:
            raise BadReply(f"{url} answers {query['dataset']} with something that is no JSON: {malformed}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            error = Unavailable(f"{url} cannot be reached ({failure or type(failure).__name__}); {advice}")
        pause_s = failures.failed(asyncio.get_running_loop().time())
        if pause_s is None:
            raise error
        await asyncio.sleep(pause_s)


def _rows(page: Any, repository: str) -> tuple[list[Row], int]:
    """A page's rows, and how many the dataset has. Raises: BadReply when they are not whole."""
    try:
        rows, total = [entry["row"] for entry in page["rows"]], int(page["num_rows_total"])
        cut = [name for entry in page["rows"] for name in entry.get("truncated_cells", ())]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadReply(f"the rows of {repository} are not what the dataset viewer promises: {error!r}") from error
    if cut or not rows:
        reason = f"cells are cut off ({', '.join(sorted(set(cut)))})" if cut else "a page has no rows"
        raise BadReply(f"the rows of {repository} are not whole: {reason}; give a JSONL file instead")
    return rows, total


def _converted(source: HubDataset, number: int, row: Row) -> dict[str, Any]:
    place = f"{source.repository}, row {number}"
    try:
        fields = source.fields(number, row)
        problem_of(fields, place)
    except (KeyError, TypeError, AttributeError, InvalidRequest) as error:
        raise BadReply(f"{place} is not as expected: {error}; give a JSONL file instead") from error
    return fields


def _keep(file: Path, rows: list[dict[str, Any]]) -> None:
    """Write the file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".part", delete=False) as part:
        part.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    os.replace(part.name, file)  # noqa: PTH105 - a name, not a Path
