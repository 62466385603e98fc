"""Seeds of engine calls, derived from the job's, so that a rerun draws the same."""

from __future__ import annotations

import hashlib

from ssr.core.types import CallKind

#: llama.cpp takes 32 bits, vLLM signed ones.
SEED_BITS = 31


def call_seed(job_seed: int, path: int, step: int, kind: CallKind) -> int:
    """The seed of the call that writes step `step` of path `path`; equal arguments give equal seeds."""
    digest = hashlib.blake2b(f"{job_seed}/{path}/{step}/{kind}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - SEED_BITS)


def path_seed(job_seed: int, path: int, kind: CallKind) -> int:
    """The seed of all steps that one model writes on a path.

    One for all: a stream that is opened anew behind one of its steps asks the engine what the first one asked it, the
    text that has come since being in the prompt. Where an engine draws by its prompt and seed, it goes on the same.
    """
    return call_seed(job_seed, path, 0, kind)
