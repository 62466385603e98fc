"""Problems from a file: what is read, what is refused and how, and what a model gets to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ssr.core.errors import InvalidRequest
from ssr_bench.evaluation.dataset import Problem, fingerprint, problem_of, read_problems, selected

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
GOOD = {"id": "a", "problem": "What is 6 x 7?", "answer": 42}


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "problems.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return file


def test_problems_are_read(tmp_path: Path) -> None:
    more = {"id": 7, "problem": "Pick one.", "answer": "12", "choices": ["11", 12], "level": 3}
    problems = read_problems(written(tmp_path, GOOD, "", more))
    assert problems == (
        Problem("a", "What is 6 x 7?", "42"),
        Problem("7", "Pick one.", "B", (("A", "11"), ("B", "12"))),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: is not JSON"),
        ("[]", "line 2: is no JSON object"),
        ({**GOOD, "id": ""}, "line 2: id: must be a text"),
        ({"id": "b", "answer": "1"}, "line 2: problem: must be a text that is not empty; got None"),
        ({**GOOD, "id": "b", "answer": True}, "line 2: answer: must be a text"),
        ({**GOOD, "id": "b", "problem": "x" * 20_001}, "line 2: problem: has 20001 characters; at most 20000"),
        (GOOD, "line 2: id: 'a' is taken by a line before"),
        ({**GOOD, "id": "b", "choices": ["1"]}, "line 2: choices: must be 2..26 texts"),
        ({**GOOD, "id": "b", "choices": {"a": "1", "b": "2"}}, "line 2: choices: must be 2..26 texts"),
        ({**GOOD, "id": "b", "choices": ["1", "2"]}, "line 2: answer: '42' is neither a choice's label nor its text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, message: str) -> None:
    file = written(tmp_path, GOOD, line)
    with pytest.raises(InvalidRequest) as caught:
        read_problems(file)
    assert caught.value.field == "dataset"
    assert f"{file}, {message}" in str(caught.value)


def test_a_file_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_problems(tmp_path / "none.jsonl")
    with pytest.raises(InvalidRequest, match="has no problems"):
        read_problems(written(tmp_path, ""))


def test_the_prompt_shows_choices_and_not_which_is_right() -> None:
    problem = problem_of({"id": "a", "problem": "Largest?", "answer": "C", "choices": {"C": "3", "D": "2"}}, "here")
    assert "(C) 3\n(D) 2" in problem.prompt
    swapped = problem_of({"id": "a", "problem": "Largest?", "answer": "D", "choices": {"C": "3", "D": "2"}}, "here")
    assert problem.prompt == swapped.prompt


def test_a_part_is_selected() -> None:
    problems = [Problem(str(number), "?", "1") for number in range(5)]
    assert [one.id for one in selected(problems, 1, 2)] == ["1", "2"]
    assert [one.id for one in selected(problems, 3, None)] == ["3", "4"]
    for offset, limit, field in ((5, None, "offset"), (-1, 1, "offset"), (0, 0, "limit")):
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            selected(problems, offset, limit)


def test_fingerprints_differ_with_problems() -> None:
    a, b = Problem("a", "?", "1"), Problem("a", "?", "2")
    assert fingerprint([a, b]) == fingerprint([a, b])
    assert len({fingerprint(each) for each in ([a], [b], [a, b], [b, a])}) == 4


@pytest.mark.parametrize("name", ["gsm8k-dev", "math500-dev", "aime2024"])
def test_datasets_at_hand_are_in_the_format(name: str) -> None:
    file = SHARED / f"{name}.jsonl"
    if not file.exists():
        pytest.skip("the dataset is not at hand")
    assert len(read_problems(file)) >= 30
