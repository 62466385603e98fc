"""How a command gets into a server: options of every command that calls one."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssr.core.errors import InvalidRequest
from ssr.core.limits import check_tenant

if TYPE_CHECKING:
    from ssr.client import Tls

#: The variable that has the API key itself: on a command line everybody on the machine could read it.
API_KEY_VARIABLE = "SSR_API_KEY"

TenantOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        envvar="SSR_TENANT",
        help="Ask as this tenant. Default: the server's default one, or the API key's owner.",
    ),
]
_TlsOption = Annotated[
    bool,
    typer.Option("--tls", envvar="SSR_TLS", help="Call with TLS. The options of TLS below say so too."),
]
_TlsCaOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="SSR_TLS_CA",
        help="Who must have signed the server's certificate (PEM). Default: a public authority.",
    ),
]
_TlsCertOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="SSR_TLS_CERT", help="Our certificate (PEM), where the server asks for one."),
]
_TlsKeyOption = Annotated[
    Path | None, typer.Option(metavar="FILE", envvar="SSR_TLS_KEY", help="The key of --tls-cert (PEM).")
]
_ApiKeyFileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="SSR_API_KEY_FILE",
        help=f"Has the API key in its first line. Default: the key that {API_KEY_VARIABLE} holds.",
    ),
]


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks, and with what. `tls` None is plaintext; `tenant` and `api_key` are "" where there is none."""

    tenant: str = ""
    tls: Tls | None = None
    api_key: str = ""

    @property
    def embedded(self) -> Access:
        """The same to a stack of our own, which has neither TLS nor keys."""
        return Access(self.tenant)


@dataclass(frozen=True, slots=True)
class AccessFlags:
    """The options as they are given."""

    tenant: str | None
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    api_key_file: Path | None

    def checked(self) -> Access:
        """Raises: InvalidRequest naming the option."""
        from ssr.client import Tls

        if self.tenant is not None:
            check_tenant(self.tenant)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidRequest("tls-cert", "goes together with --tls-key; give both")
        files = (self.tls_ca, self.tls_cert, self.tls_key)
        tls = Tls(*files) if self.tls or any(files) else None
        return Access(self.tenant or "", tls, _api_key(self.api_key_file))


#: The options that AccessFlags are made of, in its order, behind the tenant's.
_OPTIONS: dict[str, tuple[Any, object]] = {
    "tls": (_TlsOption, False),
    "tls_ca": (_TlsCaOption, None),
    "tls_cert": (_TlsCertOption, None),
    "tls_key": (_TlsKeyOption, None),
    "api_key_file": (_ApiKeyFileOption, None),
}


def with_access(*, tenant: Any = TenantOption) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of AccessFlags in place of its parameter `flags`; `tenant` None: all but that one."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**given: Any) -> None:
            flags = AccessFlags(given.pop("tenant", None), *(given.pop(name) for name in _OPTIONS))
            command(**given, flags=flags)

        options = {"tenant": (tenant, None), **_OPTIONS} if tenant is not None else _OPTIONS
        signature, parameters = inspect.signature(command, eval_str=True), []
        for parameter in signature.parameters.values():
            if parameter.name == "flags":
                parameters += [
                    inspect.Parameter(name, parameter.kind, default=default, annotation=annotation)
                    for name, (annotation, default) in options.items()
                ]
            else:
                parameters.append(parameter)
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return called

    return decorated


def _api_key(file: Path | None) -> str:
    if file is None:
        return os.environ.get(API_KEY_VARIABLE, "").strip()
    try:
        key = file.read_text("utf-8", "replace").partition("\n")[0].strip()
    except OSError as error:
        raise InvalidRequest("api-key-file", f"{file} cannot be read: {error.strerror}") from None
    if not key:
        raise InvalidRequest("api-key-file", f"the first line of {file} is empty")
    return key
