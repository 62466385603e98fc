"""Which path a stream shows, and that it shows no step twice."""

from __future__ import annotations

from datetime import UTC, datetime

from ssr.core.job import Event, Finished, Happening, Job, JobStatus
from ssr.core.run import PathEnded, StepCommitted
from ssr.core.steps import CutText
from ssr.core.types import Options, PathStatus, Source, Step
from ssr.core.vote import Vote
from ssr.gateway.answer import Shape, choices
from ssr.gateway.transcript import SWITCH, Reasoning, Transcript


def step(path: int, index: int, text: str) -> StepCommitted:
    return StepCommitted(path, Step(index, text, Source.DRAFT, tokens=3))


def finished(*votes: Vote, status: JobStatus = JobStatus.ANSWERED) -> Finished:
    answer = votes[0].answer if votes else ""
    return Finished(Job("job-a", status, "?", Options(), answer=answer, votes=votes))


class Shown:
    """A transcript and what a stream shows of it, event by event."""

    def __init__(self, *happenings: Happening) -> None:
        self.transcript, self.reasoning = Transcript(), Reasoning()
        self.parts: list[str] = []
        for number, happening in enumerate(happenings):
            self.transcript.add(Event(f"{number}-0", "job-a", datetime.now(UTC), happening))
            self.parts += self.reasoning.new(self.transcript)

    @property
    def text(self) -> str:
        return "".join(self.parts)


def test_the_first_path_with_a_step_leads_to_the_end() -> None:
    shown = Shown(
        step(1, 0, "a"),
        step(0, 0, "x"),
        step(0, 1, "y"),
        step(1, 1, "b"),
        PathEnded(1, PathStatus.ANSWERED, "1"),
        finished(Vote("1", (0, 1), None)),
    )
    assert shown.parts == ["a", "\n\nb"]


def test_a_path_that_is_lost_gives_way_to_the_farthest() -> None:
    shown = Shown(step(1, 0, "a"), step(0, 0, "x"), step(2, 0, "m"), step(2, 1, "n"), PathEnded(1, PathStatus.STALLED))
    assert shown.text == f"a\n\n{SWITCH}\n\nm\n\nn"


def test_another_winner_is_shown_behind_what_was() -> None:
    shown = Shown(step(1, 0, "a"), step(0, 0, "x"), finished(Vote("1", (0,), None), Vote("2", (1,), None)))
    assert shown.text == f"a\n\n{SWITCH}\n\nx"


def test_steps_that_were_cut_go_on_without_a_blank_line_and_tags_are_left_out() -> None:
    shown = Shown(
        step(0, 0, "<think>\nso"), step(0, 1, CutText("it is 1")), step(0, 2, "2.\n</think>"), step(0, 3, "12")
    )
    assert shown.text == "so\n\nit is 12.\n\n12"


def test_the_content_is_the_end_of_the_path_with_the_answer_in_a_box() -> None:
    shown = Shown(step(0, 0, "long " * 20), step(0, 1, "so it is 12"), finished(Vote("12", (0,), None)))
    job = shown.transcript.job
    assert job is not None
    (choice,) = choices(job, shown.transcript, Shape(20), 1)
    assert choice.content == "so it is 12\n\n$\\boxed{12}$"
    assert choice.tokens == 3
    (choice,) = choices(job, shown.transcript, Shape(800, stops=("is",)), 1)
    assert choice.content.endswith("so it ")


def test_the_content_of_a_thinking_path_is_what_it_says_behind_its_thinking() -> None:
    shown = Shown(
        step(0, 0, "<think>\na \\boxed{3}\n</think>"), step(0, 1, "\\boxed{4}"), finished(Vote("4", (0,), None))
    )
    job = shown.transcript.job
    assert job is not None
    (choice,) = choices(job, shown.transcript, Shape(800), 1)
    assert choice.content == "\\boxed{4}"


def test_what_is_no_problem_is_answered_by_the_whole_text() -> None:
    shown = Shown(
        step(0, 0, "Here:"), step(0, 1, '\\boxed{{"title": "x"}}'), finished(Vote('{"title": "x"}', (0,), None))
    )
    job = shown.transcript.job
    assert job is not None
    (choice,) = choices(job, shown.transcript, Shape(5, plain=True), 1)
    assert (choice.content, choice.reasoning) == ('Here:\n\n{"title": "x"}', "")


def test_n_choices_are_the_best_votes_and_none_is_a_choice_without_an_answer() -> None:
    shown = Shown(step(0, 0, "x"), step(1, 0, "y"), finished(Vote("1", (1,), None), Vote("2", (0,), None)))
    assert shown.transcript.job is not None
    two = choices(shown.transcript.job, shown.transcript, Shape(800), 3)
    assert [choice.reasoning for choice in two] == ["y", "x"]
    empty = Shown(finished(status=JobStatus.PARTIAL))
    assert empty.transcript.job is not None
    (choice,) = choices(empty.transcript.job, empty.transcript, Shape(800), 1)
    assert (choice.content, choice.finish_reason) == ("", "length")
