"""The replay: the output is the recording, and passes are counted as a verifier would need them."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from random import Random

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ssr.consensus import ConsensusSettings
from ssr.consensus.native import native_installed
from ssr.core.errors import InvalidRequest
from ssr_bench.cli.consensus import add_to
from ssr_bench.consensus.comparison import ComparisonPlan, compare
from ssr_bench.consensus.latency import LatencyPlan, measure_latency
from ssr_bench.consensus.recordings import Pieces, RecordedProblem, RecordedText, read_recordings
from ssr_bench.consensus.replay import AFTER, TOGETHER, replay
from ssr_bench.consensus.rivals import ConsensusRival, Ngram, NoDraft, Rival, Scan, Suffix


def _ours() -> Rival:
    return ConsensusRival.of(ConsensusSettings())


RIVALS: list[Callable[[], Rival]] = [NoDraft, Ngram, Scan, Suffix, _ours]


def _problems(problems: int = 3, samples: int = 4, tokens: int = 40) -> tuple[RecordedProblem, ...]:
    dice = Random(5)
    found = []
    for number in range(problems):
        shared = [dice.randrange(50) for _ in range(tokens)]
        recordings = tuple(
            RecordedText(str(index), tuple(t if dice.random() < 0.8 else dice.randrange(50) for t in shared), (1, 2, 3))
            for index in range(samples)
        )
        found.append(RecordedProblem(str(number), recordings))
    return tuple(found)


class _Fixed(NoDraft):
    """Proposes the same always."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens

    def draft(self, sample: Hashable, max_tokens: int) -> Sequence[int]:
        return self._tokens


def _alone(*tokens: int) -> tuple[RecordedProblem, ...]:
    return (RecordedProblem("p", (RecordedText("0", tokens),)),)


@pytest.mark.parametrize("make", RIVALS)
@pytest.mark.parametrize("apart", [TOGETHER, 7, AFTER])
def test_the_output_is_the_recording_whatever_the_drafter(make: Callable[[], Rival], apart: int) -> None:
    outputs: list[str] = []

    def check(name: str, recording: RecordedText, output: Sequence[int]) -> None:
        assert tuple(output) == recording.tokens
        outputs.append(name)

    problems = _problems()
    replay(problems, make(), 8, apart, check)
    assert sorted(outputs) == sorted(f"{one.name}#{index}" for one in problems for index in range(4))


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12), st.lists(st.integers(0, 2), max_size=4))
def test_any_draft_yields_the_recording(tokens: list[int], draft: list[int]) -> None:
    outputs: list[list[int]] = []
    replay(_alone(*tokens), _Fixed(draft), 8, observe=lambda _, __, output: outputs.append(list(output)))
    assert outputs == [tokens]


def test_without_drafts_there_is_a_pass_a_token() -> None:
    result = replay(_problems(), NoDraft(), 8)
    assert (result.tokens_per_pass, result.drafted_per_pass, result.acceptance) == (1.0, 0.0, 0.0)


def test_a_pass_yields_what_is_accepted_and_the_models_own_token() -> None:
    result = replay(_alone(1, 2, 9, 1, 2, 9), _Fixed([1, 2, 3]), 8)
    assert result.tokens_per_pass == 3.0
    assert result.mean_accepted == 2.0
    assert result.acceptance_at == (1.0, 1.0, 0.0)
    assert result.acceptance == pytest.approx(2 / 3)


def test_the_last_pass_has_no_token_beyond_the_recording() -> None:
    result = replay(_alone(1, 2, 3, 1, 2), _Fixed([1, 2]), 8)
    assert result.tokens_per_pass == 2.5
    assert result.acceptance == 1.0


class _Measured(NoDraft):
    def __init__(self) -> None:
        self.events: list[tuple[str, Hashable]] = []

    def start(self, problem: str, sample: Hashable, prompt: Sequence[int]) -> None:
        self.events.append(("start", sample))

    def add(self, sample: Hashable, tokens: Sequence[int], probabilities: Sequence[float] | None) -> None:
        self.events.append(("add", sample))

    def finish(self, sample: Hashable) -> None:
        self.events.append(("finish", sample))

    def end(self, problem: str) -> None:
        self.events.append(("end", problem))


def test_staggered_siblings_start_when_the_one_before_is_far_enough() -> None:
    for apart, ahead in ((TOGETHER, 0), (3, 3), (AFTER, 5)):
        watched = _Measured()
        replay((RecordedProblem("p", (RecordedText("0", (1,) * 5), RecordedText("1", (1,) * 5))),), watched, 8, apart)
        started = watched.events.index(("start", "p#1"))
        assert watched.events[:started].count(("add", "p#0")) == ahead
        assert watched.events[-1] == ("end", "p")


def test_siblings_help_more_when_they_are_ahead() -> None:
    together, after = (replay(_problems(), _ours(), 8, apart).tokens_per_pass for apart in (TOGETHER, AFTER))
    assert 1.0 < together < after


def test_an_empty_recording_takes_no_pass() -> None:
    assert replay((RecordedProblem("p", (RecordedText("0", ()),)),), _ours(), 8).tokens_per_pass == 0.0


@given(st.text())
def test_pieces_are_reversible(text: str) -> None:
    pieces = Pieces()
    assert pieces.text(pieces.ids(text)) == text


def test_recordings_are_read_by_problem(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    lines = [
        {"problem": 1, "sample": 0, "tokens": [5, 6], "prompt": [1], "logprobs": [0.0, -1.0]},
        {"problem": 2, "sample": 0, "text": "2 + 2 = 4"},
        {"problem": 1, "sample": 1, "tokens": [5]},
    ]
    file.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    first, second = read_recordings(file)
    assert [one.tokens for one in first.recordings] == [(5, 6), (5,)]
    assert first.recordings[0].probabilities == pytest.approx((1.0, 0.3679), abs=1e-4)
    assert len(second.recordings[0].tokens) > 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "r.jsonl:1 is no JSON"),
        ('{"problem": 1}', "tokens or text"),
        ('{"problem": 1, "tokens": [-1]}', "token ids"),
        ('{"problem": 1, "tokens": [true]}', "token ids"),
        ('{"problem": 1, "tokens": [1], "logprobs": []}', "as many"),
        ("", "no recording"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(line)
    with pytest.raises(InvalidRequest, match=message):
        read_recordings(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"none\.jsonl cannot be read"):
        read_recordings(tmp_path / "none.jsonl")


def test_the_comparison_has_every_drafter_in_every_order() -> None:
    rows = list(compare(_problems(1, 2, 10), ComparisonPlan(stagger=(4,))))
    orders = {row.order for row in rows}
    assert orders == {"together", "4 apart", "one after the other"}
    assert len(rows) % 3 == 0
    assert {row.drafter for row in rows} >= {"none", "ngram 2-5", "suffix (ours)", "consensus"}


def test_no_stagger_is_running_together() -> None:
    orders = [row.order for row in compare(_problems(1, 2, 10), ComparisonPlan(stagger=(0,)))]
    assert list(dict.fromkeys(orders)) == ["together", "one after the other"]


def test_alpha_without_probabilities_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="^alpha: has no effect"):
        list(compare(_problems(1, 2, 10), ComparisonPlan(settings=ConsensusSettings(alpha=0.5))))


def test_stagger_without_effect_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text('{"problem": "p", "sample": 0, "tokens": [1, 2]}\n')
    result = CliRunner().invoke(_app(), ["consensus", str(file), "--stagger", "2", "--sweep"])
    assert result.exit_code != 0


def test_a_sweep_changes_one_setting_at_a_time() -> None:
    names = [row.drafter for row in compare(_problems(1, 2, 10), ComparisonPlan(sweep=True))]
    assert names[0] == "as set"
    assert len(names) == len(set(names)) > 20


def test_latency_is_measured_for_each_size() -> None:
    rows = list(measure_latency(LatencyPlan((2, 3), (20,), drafts=12)))
    drafters = ["Python", "C++"] if native_installed() else ["Python"]
    expected = [(drafter, samples, 20, 12) for samples in (2, 3) for drafter in drafters]
    assert [(row.drafter, row.samples, row.tokens, row.draft_us.count) for row in rows] == expected
    assert all(row.pass_us.count == 10 and row.row_us > 0 for row in rows)


@pytest.mark.parametrize(
    ("limits", "field"), [({"samples": ()}, "samples"), ({"tokens": (0,)}, "tokens"), ({"drafts": 0}, "drafts")]
)
def test_a_latency_plan_out_of_its_limits_is_refused(limits: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}:"):
        LatencyPlan(**limits)  # type: ignore[arg-type]


def _app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_to(app)
    return app


def test_the_command_prints_the_comparison(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text("\n".join(json.dumps({"problem": 1, "sample": n, "text": "so 2 + 2 = 4 "}) for n in range(3)))
    result = CliRunner().invoke(_app(), ["consensus", str(file), "--stagger", "2"])
    assert result.exit_code == 0, result.output
    assert "consensus, bound 0.03" in result.output
    assert "consensus, no history" in result.output
    result = CliRunner().invoke(_app(), ["consensus", str(file), "--json"])
    rows = json.loads(result.output)["files"][str(file)]
    assert next(row for row in rows if row["drafter"] == "none")["result"]["tokens_per_pass"] == 1.0


def test_the_command_needs_a_file_or_latency() -> None:
    result = CliRunner().invoke(_app(), ["consensus"])
    assert result.exit_code == 2
    result = CliRunner().invoke(_app(), ["consensus", "--latency", "--samples", "2", "--tokens", "20"])
    assert result.exit_code == 0
