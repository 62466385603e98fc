"""TGI's requests have the names that TGI knows."""

from __future__ import annotations

from dataclasses import fields

from huggingface_hub import TextGenerationInput, TextGenerationInputGenerateParameters

from ssr.engines.base import GREEDY, Sampling
from ssr.engines.tgi_requests import request, sampled


def test_requests_are_of_tgis_own_fields() -> None:
    names = {field.name for field in fields(TextGenerationInputGenerateParameters)}
    chosen = sampled(Sampling(0.6, 0.95, 7), 7)
    for asked in (
        request("a", max_new_tokens=5, stop=["\n\n"], **chosen),
        request("a", max_new_tokens=1, **sampled(GREEDY, None), top_n_tokens=20),
        request("a", max_new_tokens=1, do_sample=False, decoder_input_details=True),
    ):
        assert set(asked) <= {field.name for field in fields(TextGenerationInput)}
        parameters = asked["parameters"]
        assert isinstance(parameters, dict)
        assert set(parameters) <= names
        assert parameters["details"] is True
        assert None not in parameters.values(), "null is no value of TGI's"
