"""What a path's steps amount to, however the path has grown."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssr.core.progress import Progress
from ssr.core.run import Path, PathEnded, path_end
from ssr.core.steps import CutText, is_repeated
from ssr.core.types import NO_STRATEGY, Options, PathStatus, Source, Step

OPTIONS = Options(max_path_tokens=100)
TEXTS = st.lists(st.sampled_from(["So", "so ", "We add 3 and 4.", "we  ADD 3 and 4.", "Then we stop here.", "", "x"]))


def path_of(*texts: str, tokens: int = 1) -> Path:
    path = Path(0, NO_STRATEGY)
    for index, text in enumerate(texts):
        path = path.with_step(Step(index, text, Source.TARGET, tokens))
    return path


def end_of(*texts: str) -> tuple[PathStatus, str] | None:
    end = path_end(path_of(*texts), OPTIONS)
    return (end.status, end.answer) if end else None


@given(TEXTS)
def test_repetition_is_found_as_the_path_grows(texts: list[str]) -> None:
    for count in range(1, len(texts) + 1):
        path = path_of(*texts[:count])
        assert path.progress.repeats is is_repeated(texts[count - 1], texts[: count - 1])
        assert path.progress == Progress.of(path.steps)


@given(TEXTS, TEXTS, TEXTS)
def test_versions_of_a_path_do_not_hear_each_other(stem: list[str], left: list[str], right: list[str]) -> None:
    """Drafting ahead grows a path in more than one way."""
    grown = [path_of(*stem), path_of(*stem)]
    shared = path_of(*stem)
    for texts, alone in zip((left, right), grown, strict=True):
        version = shared
        for text in texts:
            step = Step(len(version.steps), text, Source.DRAFT, 1)
            version, alone = version.with_step(step), alone.with_step(step)
            assert version.progress.repeats is is_repeated(text, [one.text for one in version.steps[:-1]])
            assert version.progress == alone.progress


def test_a_path_with_other_steps_has_their_progress() -> None:
    path = path_of("We add 3 and 4.", "So \\boxed{7}.", tokens=5)
    other = replace(path, steps=(path.steps[0], Step(1, "So \\boxed{8}.", Source.TARGET, 6)))
    assert (other.tokens, other.progress.answer) == (11, "8")


def test_a_step_costs_the_same_however_long_the_path_is() -> None:
    """A path of the most steps there may be; each asks whether it repeats one before it."""
    began, path = time.process_time(), Path(0, NO_STRATEGY)
    for index in range(4096):
        path = path.with_step(Step(index, f"This is step number {index} of a long path.", Source.DRAFT, 1))
        assert path_end(path, Options(max_path_tokens=65_536)) is None
    assert time.process_time() - began < 1.5, "it took 10.7 s when every step was compared with all before it"


@pytest.mark.parametrize(
    ("texts", "end"),
    [
        ((CutText("So we get \\boxed{12"), "40}."), (PathStatus.ANSWERED, "1240")),
        ((CutText("So we get \\boxed{12"),), None),
        ((CutText("Not \\boxed{3}. It is \\boxed{1"),), None),
        ((CutText("Not \\boxed{3}. It is \\boxed{1"), "7}."), (PathStatus.ANSWERED, "17")),
        ((CutText("Not \\boxed{3}. It is \\bo"), "xed{17}."), (PathStatus.ANSWERED, "17")),
        ((CutText("It is \\boxed 12"), "40 apples"), (PathStatus.ANSWERED, "1240")),
        ((CutText("So \\boxed{42}. Let me"),), (PathStatus.ANSWERED, "42")),
        (("\\boxed{", "1}"), None),
        ((CutText("12"), CutText("40")), None),
    ],
)
def test_an_answer_that_was_cut(texts: tuple[str, ...], end: tuple[PathStatus, str] | None) -> None:
    assert end_of(*texts) == end


@pytest.mark.parametrize(
    ("texts", "end"),
    [
        (("<think>\nIs it \\boxed{3}?",), None),
        (("<think>\nLet x be 2.", "So \\boxed{4}."), None),
        (("<think>\nIs it \\boxed{3}?", "No.\n</think>"), None),
        (("<think>\nIs it \\boxed{3}?", "No.\n</think>\nIt is \\boxed{4}."), (PathStatus.ANSWERED, "4")),
        (("<think>\nIs it \\boxed{3}?", "No.\n</think>", "It is \\boxed{4}."), (PathStatus.ANSWERED, "4")),
        (("<think>\nNo.\n</think>\n\nIt is \\boxed{4}.",), (PathStatus.ANSWERED, "4")),
        (("<think>\nIs it \\boxed{3}?\n</think>", "Yes."), None),
        (("<think>\nA", CutText("It is \\boxed{3}.</thi"), "nk> So \\boxed{4}"), (PathStatus.ANSWERED, "4")),
        (("<think>\nA\n</think>", "It is \\boxed{4}.\n</think>"), (PathStatus.ANSWERED, "4")),
        (("<think>\nA\n</think>", CutText("It is \\bo"), "xed{4}.\n</think> So"), (PathStatus.ANSWERED, "4")),
        (("Opened by a template.", "So \\boxed{3}?\n</think>"), None),
        (("Plain.", "<think>\nIs it \\boxed{3}?"), None),
        (("Plain.", "<think>\nHm.", "So \\boxed{3}."), None),
        (("Plain.\n<think>\nIs it \\boxed{3}?",), None),
        (("Plain.\n<think>\nHm.", "No: \\boxed{3}.\n</think>", "It is \\boxed{4}."), (PathStatus.ANSWERED, "4")),
        (("Plain.", CutText("<thi"), "nk>\nIs it \\boxed{3}?"), None),
        (("<think>\nA\n</think>", "Hm.", "<think>\nIs it \\boxed{3}?"), None),
        (("<think>\nA\n</think>", "<think>\nB", "So \\boxed{3}?"), None),
        (
            ("<think>\nA\n</think>", "Hm.\n<think>\nIs it \\boxed{3}?\n</think>\nIt is \\boxed{4}."),
            (PathStatus.ANSWERED, "4"),
        ),
        (("<think>\n<think>\nIs it \\boxed{3}?", "No.\n</think>", "\\boxed{4}"), (PathStatus.ANSWERED, "4")),
        (("The tag <think> begins it: \\boxed{4}.",), (PathStatus.ANSWERED, "4")),
        (("Without thinking, \\boxed{4}.",), (PathStatus.ANSWERED, "4")),
    ],
)
def test_a_box_inside_the_thinking_is_no_answer(texts: tuple[str, ...], end: tuple[PathStatus, str] | None) -> None:
    assert end_of(*texts) == end


def test_thinking_is_counted_to_the_step_that_ends_it() -> None:
    path = path_of("<think>\nA", "B", "C\n</think>", "D", tokens=5)
    assert (path.tokens, path.progress.thinking_tokens, path.progress.thinking) == (20, 15, False)
    assert path_of("<think>\nA", tokens=5).progress.thinking
    assert path_of("A", "B", tokens=5).progress.thinking_tokens == 0
    later = path_of("A", "<think>\nB", "C\n</think>", "D", tokens=5).progress
    assert (later.thinking_tokens, later.thinking) == (10, False)


def test_a_path_that_thinks_to_the_end_of_its_budget_has_no_answer() -> None:
    end = path_end(path_of("<think>\nSo \\boxed{3}?", tokens=100), OPTIONS)
    assert end == PathEnded(0, PathStatus.EXHAUSTED, reason="100 of max_path_tokens=100 tokens are used")
