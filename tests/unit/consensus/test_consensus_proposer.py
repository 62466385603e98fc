"""The proposer, driven as an engine drives it: a table whose rows move, prompts read in parts, requests that vanish."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from random import Random

import pytest

from ssr.consensus.counts import by_position, by_source
from ssr.consensus.draft import DraftSource
from ssr.consensus.environment import settings_from
from ssr.consensus.prompts import PromptGroups, common_tokens
from ssr.consensus.proposer import EngineConfig, EngineStep, Proposer
from ssr.core.errors import InvalidRequest

EAGER = {"SSR_CONSENSUS_MIN_CONFIDENCE": "0", "SSR_CONSENSUS_REST_BELOW": "0"}
PROMPT = list(range(1, 31))
ANSWER = list(range(100, 160))
ENGINE = EngineConfig(draft_tokens=5, model_tokens=4096)
#: Tokens of the texts that end a problem.
MARKERS = {"Approach:": [70, 71]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _proposer(clock: Clock | None = None, engine: EngineConfig = ENGINE, **environment: str) -> Proposer:
    return Proposer(engine, lambda text: MARKERS[text], EAGER | environment, clock or Clock())


@dataclass(eq=False)
class _Request:
    """What a request will write, and how far it is."""

    prompt: list[int]
    answer: list[int]
    read: bool = False  #: the prompt
    written: int = 0
    draft: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return self.written >= len(self.answer)

    def step(self) -> list[int]:
        """Greedy verification: the draft's tokens while they are the answer's, and one more."""
        if not self.read:
            self.read = True
            return []  # only a part of the prompt
        accepted = 0
        rest = self.answer[self.written :]
        while accepted < min(len(self.draft), len(rest) - 1) and self.draft[accepted] == rest[accepted]:
            accepted += 1
        self.written += accepted + 1
        return rest[: accepted + 1]


def _step(proposer: Proposer, batch: list[_Request]) -> None:
    sampled = [request.step() for request in batch]
    table = [array("i", request.prompt + request.answer[: request.written] + [0] * 20) for request in batch]
    lengths = [len(request.prompt) + request.written for request in batch]
    drafts = proposer.propose(EngineStep(sampled, lengths, table))
    assert len(drafts) == len(batch)
    for request, tokens, draft in zip(batch, sampled, drafts, strict=True):
        assert len(draft) <= 5
        assert tokens or not draft
        request.draft = draft


def _run(proposer: Proposer, batch: list[_Request], dice: Random | None = None) -> int:
    """Steps until all are done; rows move where there are dice."""
    steps = 0
    while running := [request for request in batch if not request.done]:
        if dice is not None:
            dice.shuffle(running)
        _step(proposer, running)
        steps += 1
    assert proposer.counts.failures == 0
    return steps


def test_a_sibling_with_the_same_prompt_drafts() -> None:
    proposer = _proposer()
    assert _run(proposer, [_Request(PROMPT, ANSWER)]) == 61
    assert _run(proposer, [_Request(PROMPT, ANSWER)]) == 12  # the prompt, a first token, and 6 a step
    counts = proposer.counts
    assert by_source(counts.accepted)[DraftSource.SIBLING] == sum(counts.accepted.values()) == 49
    assert by_position(counts.accepted)[0] == 10
    assert "sibling 49/" in str(counts)


def test_a_request_for_one_token_costs_nothing() -> None:
    """The prompts that only ask for a score are long, and there are many of them."""
    proposer = _proposer()
    _run(proposer, [_Request([*PROMPT, n], [5]) for n in range(50)])
    assert proposer._drafter.tokens == 0
    assert proposer.counts.passes == 0


def test_siblings_that_come_together_all_draft_from_their_second_token_on() -> None:
    proposer = _proposer()
    batch = [_Request(PROMPT, ANSWER[:n] + [7] * 5 + ANSWER[n:]) for n in (20, 30, 40)]
    for _ in range(3):
        _step(proposer, batch)
    assert len({one.group for one in proposer._rows}) == 1
    assert all(one.name is not None for one in proposer._rows)


def test_paths_whose_prompts_part_behind_the_problem_help_each_other() -> None:
    """Each path has an approach of its own, and a request for each of its steps."""
    problem = [*PROMPT, *MARKERS["Approach:"]]
    first, second = [*problem, 81, 82], [*problem, 91]
    other = [*PROMPT[:-1], 99, *MARKERS["Approach:"], 81, 82]
    for until, steps in (("Approach:", 12), ("", 61)):
        proposer = _proposer(SSR_CONSENSUS_GROUP_UNTIL=until)
        assert _run(proposer, [_Request(first, ANSWER)]) == 61
        assert _run(proposer, [_Request(other, ANSWER)]) == 61  # another problem
        assert _run(proposer, [_Request(second, ANSWER)]) == steps
    assert _run(proposer, [_Request([*second, *ANSWER[:30]], ANSWER[30:])]) == 8


def test_what_a_path_has_written_is_read_once_though_each_step_is_a_request() -> None:
    proposer = _proposer(SSR_CONSENSUS_GROUP_UNTIL="Approach:")
    prompt = [*PROMPT, *MARKERS["Approach:"], 81]
    for start in range(0, 60, 10):  # a step ends with a token that the next prompt writes in another way
        _run(proposer, [_Request([*prompt, *ANSWER[:start]], [*ANSWER[start : start + 9], 99])])
    requests = 6
    texts = len(prompt) + len(ANSWER) + requests - 1
    assert proposer._drafter.tokens == texts + 16 * (1 + requests)  # each costs a little beside its text


def test_a_step_whose_prompt_is_what_was_written_is_the_same_request() -> None:
    proposer = _proposer()
    for start in range(0, 60, 10):
        _run(proposer, [_Request([*PROMPT, *ANSWER[:start]], ANSWER[start : start + 10])])
    assert len(list(proposer._rows)) == 1


def test_requests_are_followed_when_their_rows_move() -> None:
    dice = Random(4)
    batches = [[_Request(PROMPT, [dice.randrange(100, 120) for _ in range(60)]) for _ in range(8)] for _ in range(2)]
    still, moving = _proposer(), _proposer()
    _run(still, batches[0])
    _run(moving, batches[1], Random(5))
    assert len(list(still._rows)) == len(list(moving._rows)) == 8
    for proposer, batch in ((still, batches[0]), (moving, batches[1])):
        contents = sorted(bytes(one.content) for one in proposer._rows)
        assert contents == sorted(array("i", one.prompt + one.answer).tobytes() for one in batch)


def test_another_prompt_is_another_problem_even_with_history_asked_for_elsewhere() -> None:
    clock = Clock()
    proposer = _proposer(clock, SSR_CONSENSUS_GROUP_IDLE_S="0", SSR_CONSENSUS_REQUEST_IDLE_S="1")
    _run(proposer, [_Request(PROMPT, ANSWER)])
    clock.now = 100.0
    other = _Request([*PROMPT[:-1], 99], ANSWER)
    assert _run(proposer, [other]) == 61
    _run(proposer, [_Request([5] * 20, [7, 8, 9] * 50)])  # long enough for the sweep to end the first group
    assert _run(proposer, [_Request([6] * 20, ANSWER)]) == 61
    assert by_source(proposer.counts.accepted)[DraftSource.HISTORY] == 0


def test_history_is_kept_where_it_is_asked_for() -> None:
    clock = Clock()
    proposer = _proposer(
        clock,
        SSR_CONSENSUS_HISTORY_WEIGHT="0.1",
        SSR_CONSENSUS_GROUP_IDLE_S="0",
        SSR_CONSENSUS_REQUEST_IDLE_S="1",
    )
    _run(proposer, [_Request(PROMPT, ANSWER)])
    clock.now = 100.0
    _run(proposer, [_Request([5] * 20, list(range(1000, 1200)))])
    assert _run(proposer, [_Request([6] * 20, ANSWER)]) < 20
    assert by_source(proposer.counts.accepted)[DraftSource.HISTORY] > 40


def test_a_preempted_request_comes_back_as_itself() -> None:
    proposer = _proposer()
    batch = [_Request(PROMPT, [n + i for i in range(40)]) for n in (100, 200)]
    for _ in range(8):
        _step(proposer, batch)
    preempted = batch[0]
    for _ in range(8):
        _step(proposer, batch[1:])
    preempted.read, preempted.draft = False, []  # its prompt and output are read again
    _run(proposer, batch)
    assert len(list(proposer._rows)) == 2


def test_an_aborted_requests_text_goes_on_helping_until_it_is_idle() -> None:
    clock = Clock()
    proposer = _proposer(clock)
    aborted = _Request(PROMPT, ANSWER)
    for _ in range(41):
        _step(proposer, [aborted])
    clock.now = 29.0
    assert _run(proposer, [_Request(PROMPT, ANSWER)]) < 35
    clock.now = 1000.0
    long = _Request([5] * 20, list(range(1000, 1200)))
    _run(proposer, [long])
    assert [bytes(one.content) for one in proposer._rows] == [array("i", long.prompt + long.answer).tobytes()]
    clock.now = 2000.0
    _run(proposer, [_Request([6] * 20, list(range(2000, 2200)))])
    clock.now = 3000.0
    _run(proposer, [_Request([8] * 20, list(range(3000, 3200)))])
    assert proposer._drafter.tokens < 800  # the first groups are gone


def test_a_draft_never_reaches_beyond_the_models_length() -> None:
    proposer = _proposer(engine=EngineConfig(5, 34))
    row = array("i", [1, 2, 3, 4] * 8)
    assert proposer.propose(EngineStep([[3]], [31], [row])) == [[]]  # it is not known yet whether more is wanted
    assert proposer.propose(EngineStep([[4]], [32], [row])) == [[1]]


def test_the_length_of_drafts_may_depend_on_the_rows_of_a_step() -> None:
    engine = EngineConfig(5, 4096, by_rows=((3, 2), (1, 9), (8, 0)))
    assert [engine.draft_tokens_of(rows) for rows in (1, 2, 3, 7, 8, 99)] == [5, 5, 2, 2, 0, 0]
    proposer = _proposer(engine=engine)
    _run(proposer, [_Request(PROMPT, ANSWER)])
    batch = [_Request(PROMPT, ANSWER) for _ in range(3)]
    for _ in range(4):
        _step(proposer, batch)
    assert {len(one.draft) for one in batch} == {2}


def test_a_failure_costs_drafts_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    proposer = _proposer()
    assert proposer.propose(EngineStep([[1], []], [5, 5], [])) == [[], []]
    assert proposer.counts.failures == 1
    assert "no drafts in this step" in caplog.text
    _step(proposer, [_Request(PROMPT, ANSWER)])
    assert proposer.counts.failures == 1


def test_the_counts_are_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    proposer = _proposer(clock, SSR_CONSENSUS_LOG_S="10")
    caplog.set_level("INFO", logger="vllm.ssr.consensus")
    clock.now = 11.0
    _run(proposer, [_Request(PROMPT, list(range(1000, 1100)))])
    reports = [message for message in caplog.messages if message.startswith("consensus drafting")]  # native or not
    assert len(reports) == 1
    assert "tokens a pass" in caplog.text


def test_prompts_belong_together_when_one_continues_the_other() -> None:
    groups = PromptGroups(share=1.0, least_tokens=4)
    first = groups.join(array("i", range(10)).tobytes())
    assert groups.join(array("i", range(12)).tobytes()) is first
    assert groups.join(array("i", range(3)).tobytes()) is not first  # too short to report
    assert groups.join(array("i", [*range(9), 77]).tobytes()) is not first
    alike = PromptGroups(share=0.8, least_tokens=4)
    first = alike.join(array("i", range(10)).tobytes())
    assert alike.join(array("i", [*range(8), 50, 51]).tobytes()) is first
    assert alike.join(array("i", [*range(7), 50, 51, 52]).tobytes()) is not first


def test_a_group_ends_when_its_last_request_has_been_gone_for_long() -> None:
    groups = PromptGroups(1.0, 4)
    group = groups.join(b"abcd")
    assert groups.join(b"abcd") is group
    groups.leave(group, 1.0)
    assert groups.end_idle(100.0) == []
    groups.leave(group, 5.0)
    assert groups.end_idle(4.0) == []
    assert groups.join(b"abcd") is group
    groups.leave(group, 6.0)
    assert groups.end_idle(6.0) == [group]
    assert groups.join(b"abcd") is not group


def test_a_marker_across_tokens_is_none() -> None:
    groups = PromptGroups(1.0, 4, marker=array("i", [1]).tobytes())
    across = array("i", [1 << 8, 0, 1, 5])  # its bytes hold the marker's before the third token
    first = groups.join(across.tobytes())
    assert first.prompt == across[:3].tobytes()
    assert groups.join(array("i", [1 << 8, 0, 1, 6, 7]).tobytes()) is first
    assert groups.join(array("i", [1 << 8, 0, 2, 6, 7]).tobytes()) is not first


def test_common_tokens_are_whole() -> None:
    assert common_tokens(array("i", [1, 2, 3]).tobytes(), array("i", [1, 2, 259]).tobytes()) == 2
    assert common_tokens(b"", b"abcd") == 0


def test_settings_come_from_the_environment() -> None:
    settings, proposing = settings_from(
        {"SSR_CONSENSUS_ORDERS": "3,1", "SSR_CONSENSUS_EDITS": "1", "SSR_CONSENSUS_PREFIX_SHARE": "0.5", "HOME": "/"}
    )
    assert (settings.orders, settings.edits, settings.history_weight, proposing.prefix_share) == ((3, 1), 1, 0.0, 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SSR_CONSENSUS_POOL", "many"), ("SSR_CONSENSUS_ORDERS", "4;2"), ("SSR_CONSENSUS_WHAT", "1")],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=name):
        settings_from({name: value})


@pytest.mark.parametrize(("name", "value"), [("PREFIX_SHARE", "0"), ("LOG_S", "-1"), ("REQUEST_IDLE_S", "nan")])
def test_a_value_out_of_its_limits_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name.lower()}:"):
        settings_from({f"SSR_CONSENSUS_{name}": value})


def _drafted_steps(cost_ms: float, engine: EngineConfig = ENGINE, **environment: str) -> int:
    """Steps with drafts, of the last 100 of 1,000 in which a pass takes 4 ms, and with drafts so much more."""
    clock = Clock()
    proposer = _proposer(clock, engine, **environment)
    _run(proposer, [_Request(PROMPT, ANSWER)])
    drafted: list[bool] = []
    while len(drafted) < 1000:
        request = _Request(PROMPT, ANSWER)
        while not request.done:
            _step(proposer, [request])
            clock.now += 0.004 + (cost_ms / 1000 if request.draft else 0)
            drafted.append(bool(request.draft))
    return sum(drafted[-100:])


def test_drafting_rests_while_it_costs_more_than_it_gains() -> None:
    assert _drafted_steps(1.0) > 60
    assert _drafted_steps(100.0) < 20
    assert _drafted_steps(100.0, SSR_CONSENSUS_MIN_GAIN="0") > 60
    assert _drafted_steps(100.0, EngineConfig(5, 4096, workers=2)) > 60


def test_a_budget_bounds_the_drafts_of_all_rows_together() -> None:
    proposer = _proposer(SSR_CONSENSUS_PASS_BUDGET="7")
    _run(proposer, [_Request(PROMPT, ANSWER)])
    batch = [_Request(PROMPT, ANSWER) for _ in range(4)]
    drafted = []
    for _ in range(6):
        _step(proposer, batch)
        drafted.append(sum(len(one.draft) for one in batch))
    assert max(drafted) == 7
