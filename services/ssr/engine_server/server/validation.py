"""The limits of a request: TGI's checks, in TGI's order and words."""

from __future__ import annotations

import secrets

from ssr.engine_server.server.backend import Backend, BackendInfo, GenerateRequest
from ssr.engine_server.server.errors import invalid
from ssr.engine_server.server.schema import GenerateBody, Parameters

MAX_BEST_OF = 1  #: best_of needs one batch slot a candidate and is of no use to us; TGI's own default is 2


async def validated(body: GenerateBody, backend: Backend) -> GenerateRequest:
    """The request that `body` asks for, within the limits of `backend.info()`. Raises a 422 refusal otherwise."""
    info, parameters = backend.info(), body.parameters
    _check_supported(parameters, info)
    _check_sampling(parameters)
    _check_counts(parameters, info)
    if not body.inputs:
        raise invalid("`inputs` cannot be empty")
    inputs, input_length = await _truncated(body, backend)
    return GenerateRequest(
        inputs=inputs,
        input_length=input_length,
        max_new_tokens=_max_new_tokens(parameters, input_length, info),
        do_sample=parameters.do_sample,
        temperature=parameters.temperature,
        top_k=parameters.top_k,
        top_p=parameters.top_p,
        typical_p=parameters.typical_p,
        repetition_penalty=parameters.repetition_penalty,
        frequency_penalty=parameters.frequency_penalty,
        seed=parameters.seed if parameters.seed is not None else secrets.randbits(64),
        stop=tuple(parameters.stop),
        top_n_tokens=parameters.top_n_tokens or 0,
        prefill=parameters.decoder_input_details,
    )


def _check_supported(parameters: Parameters, info: BackendInfo) -> None:
    best_of = 1 if parameters.best_of is None else parameters.best_of
    if best_of > MAX_BEST_OF:
        raise invalid(f"`best_of` must be > 0 and <= {MAX_BEST_OF}. Given: {best_of}")
    for name, asked in (
        ("decoder_input_details", parameters.decoder_input_details and not info.prefill_logprobs),
        ("watermark", parameters.watermark),
        ("grammar", parameters.grammar is not None),
        ("adapter_id", parameters.adapter_id is not None),
    ):
        if asked:
            raise invalid(f"`{name}` is not supported by this engine")


def _check_sampling(p: Parameters) -> None:
    if p.temperature is not None and p.temperature <= 0:
        raise invalid("`temperature` must be strictly positive")
    if p.repetition_penalty is not None and p.repetition_penalty <= 0:
        raise invalid("`repetition_penalty` must be strictly positive")
    if p.frequency_penalty is not None and not -2 <= p.frequency_penalty <= 2:
        raise invalid("`frequency_penalty` must be >= -2.0 and <= 2.0")
    if p.top_p is not None and not 0 < p.top_p < 1:
        raise invalid("`top_p` must be > 0.0 and < 1.0")
    if p.typical_p is not None and not 0 < p.typical_p < 1:
        raise invalid("`typical_p` must be > 0.0 and < 1.0")
    if p.top_k is not None and p.top_k <= 0:
        raise invalid("`top_k` must be strictly positive")


def _check_counts(p: Parameters, info: BackendInfo) -> None:
    if p.max_new_tokens == 0:
        raise invalid("`max_new_tokens` must be strictly positive")
    if len(p.stop) > info.max_stop_sequences:
        raise invalid(f"`stop` supports up to {info.max_stop_sequences} stop sequences. Given: {len(p.stop)}")
    if p.top_n_tokens is not None and p.top_n_tokens > info.max_top_n_tokens:
        raise invalid(f"`top_n_tokens` must be >= 0 and <= {info.max_top_n_tokens}. Given: {p.top_n_tokens}")
    if p.truncate is not None and not 0 < p.truncate <= info.max_input_tokens:
        limit = info.max_input_tokens
        raise invalid(f"`truncate` must be strictly positive and less than {limit}. Given: {p.truncate}")


async def _truncated(body: GenerateBody, backend: Backend) -> tuple[str, int]:
    """The prompt's last `truncate` tokens as text (all, when not given), and how many tokens the prompt has now."""
    pieces = await backend.tokenize(body.inputs)
    limit = body.parameters.truncate
    if limit is None or len(pieces) <= limit:
        return body.inputs, len(pieces)
    return body.inputs[pieces[-limit].start :], limit


def _max_new_tokens(p: Parameters, input_length: int, info: BackendInfo) -> int:
    capacity = info.max_total_tokens - input_length
    wanted = p.max_new_tokens if p.max_new_tokens is not None else max(capacity, 0)
    if wanted > capacity:
        raise invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {info.max_total_tokens}. "
            f"Given: {input_length} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    if input_length > info.max_input_tokens:
        raise invalid(f"`inputs` must have less than {info.max_input_tokens} tokens. Given: {input_length}")
    return wanted
