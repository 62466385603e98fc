"""The Kubernetes API of one namespace, with this process's rights, and what its refusals mean.

In a pod the service account's token is used, and read again every minute because Kubernetes replaces it. Outside, what
the kubeconfig says at the start is used.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp

from ssr.core.errors import (
    BadReply,
    CapabilityMissing,
    InvalidRequest,
    NotFound,
    Overloaded,
    Retryable,
    SsrError,
    TimedOut,
    Unavailable,
)

if TYPE_CHECKING:
    from kubernetes.aio.client import AppsV1Api, Configuration, CoordinationV1Api

Result = TypeVar("Result")

#: Where a pod finds who it is.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: Whose changes ours are, for who looks at an object's managed fields.
FIELD_MANAGER = "ssr-autoscaler"


class Changed(Retryable):
    """Somebody else made or changed the object between our look at it and our write (409)."""


@dataclass(frozen=True)
class KubernetesApi:
    """The calls for one namespace's Deployments (`apps`) and Leases (`coordination`), each through `call`."""

    apps: AppsV1Api
    coordination: CoordinationV1Api
    namespace: str
    timeout_s: float

    async def call(self, what: str, call: Awaitable[Result]) -> Result:
        """The result of one call, within `timeout_s` seconds; `what` names it in errors ("get leases/ssr", say).

        Raises: as `refusal` says; TimedOut, and then the call may have been done; Unavailable without a connection or
        without credentials; BadReply for what is no such object.
        """
        from kubernetes.aio.client import ApiException
        from kubernetes.aio.config import ConfigException

        said = f"Kubernetes: {what} in namespace {self.namespace}"
        try:
            async with asyncio.timeout(self.timeout_s):
                return await call
        except TimeoutError as error:
            raise TimedOut(f"{said}: no answer within {self.timeout_s:g} s") from error
        except ApiException as error:
            raise refusal(said, error.status or 0, error.body, error.headers or {}) from error
        except (aiohttp.ClientError, OSError, ConfigException) as error:
            raise Unavailable(f"{said}: {error or type(error).__name__}") from error
        except ValueError as error:
            raise BadReply(f"{said}: not the API's answer: {error}") from error


def refusal(said: str, status: int, body: str | None, headers: Mapping[str, str]) -> SsrError:
    """What an answer with an HTTP status of failure means; `body` is a Status if Kubernetes itself answered."""
    answer = _answer(body)
    details = answer.get("details") or {}
    said = f"{said}: {status} {answer.get('reason') or 'Unknown'}: {answer.get('message') or 'no explanation'}"
    match status:
        case 401:
            return CapabilityMissing(f"{said} (the credentials are not accepted)")
        case 403:
            return CapabilityMissing(f"{said} (give the service account this right)")
        case 404:
            return NotFound(said)
        case 409:
            return Changed(said)
        case 408 | 504:
            return TimedOut(said, _delay_s(headers, details))
        case 429:
            return Overloaded(said, _delay_s(headers, details))
        case 400 | 413 | 415 | 422:
            return InvalidRequest(_field(details), said)
    return Unavailable(said, _delay_s(headers, details)) if status >= 500 else BadReply(said)


def _answer(body: str | None) -> dict[str, Any]:
    try:
        answer = json.loads(body or "")
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"message": (body or "")[:200]}


def _field(details: Mapping[str, Any]) -> str:
    causes = details.get("causes") or [{}]
    return str(causes[0].get("field") or "request")


def _delay_s(headers: Mapping[str, str], details: Mapping[str, Any]) -> float:
    reported = headers.get("Retry-After") or details.get("retryAfterSeconds") or 1.0
    try:
        return max(0.0, float(reported))
    except ValueError:  # a date, which no Kubernetes sends
        return 1.0


@asynccontextmanager
async def open_kubernetes(
    *,
    timeout_s: float,
    namespace: str | None = None,
    url: str | None = None,
    account: Path = SERVICE_ACCOUNT,
) -> AsyncIterator[KubernetesApi]:
    """The API at `url`, without credentials; by default that of KUBECONFIG, else of the pod that this is, else of
    ~/.kube/config. `namespace` None: the pod's, or that of the kubeconfig's context.

    Raises: CapabilityMissing without the kubernetes package; NotFound where no API is known; InvalidRequest for a
    kubeconfig, a service account or a certificate that cannot be used. Kubernetes itself need not be up.
    """
    try:
        from kubernetes.aio.client import ApiClient, AppsV1Api, CoordinationV1Api
    except ModuleNotFoundError as error:
        raise CapabilityMissing(
            f"scaling on Kubernetes needs {error.name}: pip install 'ssr-serve[cluster]'"
        ) from error
    configuration, own_namespace = await _access(url, account)
    try:
        opened = ApiClient(configuration)
    except OSError as error:
        raise InvalidRequest("certificate", f"of the Kubernetes API or for it: {error}") from error
    async with opened as client:
        client.user_agent = FIELD_MANAGER
        yield KubernetesApi(AppsV1Api(client), CoordinationV1Api(client), namespace or own_namespace, timeout_s)


async def _access(url: str | None, account: Path) -> tuple[Configuration, str]:
    """How to reach the API, and the namespace to use by default."""
    from kubernetes.aio.client import Configuration

    if url is not None:
        return Configuration(host=url), "default"
    if not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _of_pod(account)
    return await _of_kubeconfig(os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"))


def _of_pod(account: Path) -> tuple[Configuration, str]:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader

    configuration = Configuration()
    try:
        loader = InClusterConfigLoader(str(account / "token"), str(account / "ca.crt"))  # type: ignore[no-untyped-call]
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        return configuration, (account / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise InvalidRequest(
            "service account", f"{account}: {error} (the pod needs automountServiceAccountToken: true)"
        ) from error


async def _of_kubeconfig(paths: str) -> tuple[Configuration, str]:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import load_kube_config

    if not _some_file(paths):
        raise NotFound(f"no Kubernetes API is known: this is no pod, and there is no kubeconfig at {paths}")
    configuration = Configuration()
    try:
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            paths, client_configuration=configuration, persist_config=False
        )
    except Exception as error:  # its parser raises whatever a malformed file leads it to
        raise InvalidRequest("KUBECONFIG", f"{paths}: {error}") from error
    return configuration, loader.current_context["context"].get("namespace") or "default"


def _some_file(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path)
