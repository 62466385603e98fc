"""llama.cpp's server inside this process: loading a model, where to reach it, letting it go.

It listens on a free loopback port, behind a key that only this process knows.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
from pathlib import Path
from typing import Any

from ssr.core.errors import CapabilityMissing, InvalidRequest, NotFound, Unavailable
from ssr.engine_server.embedded.settings import EmbeddedSettings

_GGUF_MAGIC = b"GGUF"
_SILENT = -1  #: below llama.cpp's lowest log level


class LlamaServer:
    """A loaded model. `url` and `key` are how to talk to it."""

    def __init__(self, handle: Any, key: str) -> None:
        self._handle = handle
        self.url: str = handle.listening_address
        self.key = key

    @classmethod
    async def start(cls, settings: EmbeddedSettings) -> LlamaServer:
        """Loads the model.

        It runs in a thread, but xllamacpp (2026.10) keeps the interpreter lock while it loads: the event loop stands
        still for that time, 0.3 to 2 s for the models we ship when their files are in the page cache.

        Raises `NotFound` without a model file, `InvalidRequest` for a file that is no GGUF, `CapabilityMissing`
        without xllamacpp, and `Unavailable` when llama.cpp refuses the model (damaged, or too large for the memory).
        """
        await asyncio.to_thread(_check_file, settings.model_path)
        key = secrets.token_urlsafe(32)
        handle = await asyncio.to_thread(_load, settings, key)
        return cls(handle, key)

    async def stop(self) -> None:
        """Ends the server and frees the model; safe to call twice."""
        box = [self._handle]
        self._handle = None
        await asyncio.to_thread(box.clear)  # the destructor joins threads: not on the event loop


def physical_cores() -> int:
    """Cores this process may use, hyperthreads counted once where the system says which those are."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = set()
    for cpu in usable:
        try:
            siblings.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            return len(usable)
    return len(siblings)


def _check_file(path: Path) -> None:
    # llama.cpp says only "failed to init": look for what can be distinguished before it does.
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except FileNotFoundError as error:
        raise NotFound(f"model file {path} does not exist: download it first, or correct model_path") from error
    except OSError as error:
        raise InvalidRequest("model_path", f"{path} cannot be read: {error.strerror}") from error
    if magic != _GGUF_MAGIC:
        raise InvalidRequest("model_path", f"{path} is not a GGUF file: download it again")


def _load(settings: EmbeddedSettings, key: str) -> Any:
    # OpenMP reads it when llama.cpp is loaded. Threads that spin while they wait for each other starve those of another
    # engine on the same cores: two engines of two threads on two cores wrote 0.8 tokens/s each, and 5.7 without.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        xllamacpp: Any = importlib.import_module("xllamacpp")  # optional: a cluster's services do without
    except ModuleNotFoundError as error:
        raise CapabilityMissing("the embedded engine needs llama.cpp: pip install 'ssr-serve[local]'") from error
    except ImportError as error:  # a library of the system's that it is linked to
        raise CapabilityMissing(
            f"llama.cpp cannot be loaded ({error}); if it is libgomp that is missing: apt install libgomp1"
        ) from error
    try:
        return xllamacpp.Server(_parameters(xllamacpp, settings, key))
    except (RuntimeError, MemoryError) as error:
        size_gb = settings.model_path.stat().st_size / 1e9
        raise Unavailable(
            f"llama.cpp could not load {settings.model_path}: either the file is damaged (download it again), or its "
            f"{size_gb:.1f} GB and a context of {settings.context_tokens} tokens do not fit the memory (lower "
            "context_tokens, or take a smaller model)"
        ) from error


def _parameters(xllamacpp: Any, settings: EmbeddedSettings, key: str) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.model_path)
    params.model_alias = {settings.model_id}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_ctx = settings.context_tokens
    params.n_parallel = settings.slots
    params.kv_unified = True  # slots share the context instead of getting 1/slots of it each
    params.cache_ram_mib = settings.cache_ram_mib
    params.cache_idle_slots = False  # else every new request empties the slots that no request runs on
    threads = settings.threads or physical_cores()
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.fit_params = False  # do what the settings say or fail, rather than shrink the context
    params.warmup = False  # the first request warms up just as well, and starting takes half the time
    params.use_jinja = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = _SILENT
    return params
