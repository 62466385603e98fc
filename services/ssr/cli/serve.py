"""`ssr serve`: one service of SSR as this process, set up by its environment. What containers run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ssr.cli.exit_status import ExitStatus, print_error
from ssr.core.errors import InvalidRequest, SsrError
from ssr.runtime.process import tether
from ssr.runtime.process.signals import end_early

if TYPE_CHECKING:  # the commands import what they run when they run it
    from ssr.runtime.process.serving import Running
    from ssr.runtime.settings import ServiceSettings

    Settings = TypeVar("Settings", bound=ServiceSettings)

serve_app = typer.Typer(
    name="serve",
    no_args_is_help=True,
    help="Run one service; its settings are the environment's SSR_<SERVICE>_* variables.",
)

Host = Annotated[str | None, typer.Option(help="Address to listen on, instead of the settings' host.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port to listen on, instead of the settings' port; 0: a free one.")
]


@serve_app.callback()
def prepare() -> None:
    """Before a service's imports, which take a while."""
    end_early()
    if os.environ.get(tether.VARIABLE) == "1":
        tether.hold_tether()
    # gRPC's C core prints lines of its own for failures that we report.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Nor may its fork handlers run: they crash the child of a process that serves.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


@serve_app.command()
def orchestrator(host: Host = None, port: Port = None) -> None:
    """The public API, and the worker that solves the queue's jobs: SSR_ORCHESTRATOR_*."""
    from ssr.orchestrator.service import running_orchestrator
    from ssr.orchestrator.settings import OrchestratorSettings

    _serve("orchestrator", OrchestratorSettings, running_orchestrator, host, port)


@serve_app.command()
def selector(host: Host = None, port: Port = None) -> None:
    """Strategies for a problem, from the target model: SSR_SELECTOR_*."""
    from ssr.selector.servicer import running_selector
    from ssr.selector.settings import SelectorSettings

    _serve("selector", SelectorSettings, running_selector, host, port)


@serve_app.command()
def drafter(host: Host = None, port: Port = None) -> None:
    """Next steps of paths, from the draft model: SSR_DRAFTER_*."""
    from ssr.drafter.servicer import running_drafter
    from ssr.drafter.settings import DrafterSettings

    _serve("drafter", DrafterSettings, running_drafter, host, port)


@serve_app.command()
def verifier(host: Host = None, port: Port = None) -> None:
    """Scores and rewrites of steps, from the target model: SSR_VERIFIER_*."""
    from ssr.verifier.servicer import running_verifier
    from ssr.verifier.settings import VerifierSettings

    _serve("verifier", VerifierSettings, running_verifier, host, port)


@serve_app.command()
def engine(host: Host = None, port: Port = None) -> None:
    """A model on this machine's CPU, or a simulated one, behind TGI's HTTP API: SSR_ENGINE_*."""
    from functools import partial

    from ssr.engine_server.models.settings import model_store
    from ssr.engine_server.service import running_engine
    from ssr.engine_server.settings import EngineServerSettings

    _serve("engine", EngineServerSettings, partial(running_engine, models=model_store()), host, port)


@serve_app.command()
def autoscaler(host: Host = None, port: Port = None) -> None:
    """Scales the engines' Deployments on Kubernetes by the load that the services report: SSR_AUTOSCALER_*."""
    from ssr.autoscaler.service import running_autoscaler
    from ssr.autoscaler.settings import AutoscalerSettings

    _serve("autoscaler", AutoscalerSettings, running_autoscaler, host, port)


@serve_app.command()
def gateway(host: Host = None, port: Port = None) -> None:
    """SSR behind the OpenAI API, in front of an orchestrator: SSR_GATEWAY_*."""
    try:
        from ssr.gateway.service import running_gateway
    except ModuleNotFoundError as error:
        print_error(f"the gateway needs {error.name}: pip install 'ssr-serve[gateway]'")
        raise typer.Exit(ExitStatus.FAILURE) from None
    from ssr.gateway.settings import GatewaySettings

    _serve("gateway", GatewaySettings, running_gateway, host, port)


def _serve(
    name: str, settings_type: type[Settings], running: Running[Settings], host: str | None, port: int | None
) -> None:
    """Run the service to its end; what goes wrong becomes one line and an exit status."""
    from ssr.runtime.process.serving import run_service

    flags = {"host": host, "port": port}
    try:
        settings = settings_type.from_environment()
    except InvalidRequest as error:
        print_error(str(error))
        raise typer.Exit(ExitStatus.BAD_INPUT) from None
    settings = settings.model_copy(update={flag: value for flag, value in flags.items() if value is not None})
    try:
        run_service(name, running, settings)
    except SsrError as error:
        print_error(str(error))
        raise typer.Exit(ExitStatus.FAILURE) from None
