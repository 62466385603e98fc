"""Deployments as engine pools: their readiness is read, and their scale subresource is patched.

A merge patch of `spec.replicas` alone: whoever changes something else of the Deployment at the same time loses nothing,
and of two who change the replicas the last one wins until the next decision, which begins with what is there then.

The service account needs, in the namespace, of the Deployments by name:

    apps/deployments        get
    apps/deployments/scale  patch
"""

from __future__ import annotations

from collections.abc import Mapping

from ssr.autoscaler.kubernetes_api import FIELD_MANAGER, KubernetesApi
from ssr.autoscaler.policy.signals import Engines
from ssr.core.errors import NotFound
from ssr.engines.load import Pool

_MERGE_PATCH = "application/merge-patch+json"


class KubernetesActuator:
    """Implements Actuator. Raises as KubernetesApi.call; NotFound names the Deployment that is missing."""

    def __init__(self, api: KubernetesApi, deployments: Mapping[Pool, str]) -> None:
        self._api, self._deployments = api, deployments

    async def engines(self, pool: Pool) -> Engines:
        """In a rollout, pods of both versions serve; more than `spec.replicas` of them are about to go."""
        name = self._name(pool)
        deployment = await self._api.call(
            f"get deployments/{name}", self._api.apps.read_namespaced_deployment(name, self._api.namespace)
        )
        # An omitted number is the API's default: 1 replica asked for, 0 ready.
        wanted = 1 if deployment.spec is None or deployment.spec.replicas is None else deployment.spec.replicas
        serving = (deployment.status.ready_replicas or 0) if deployment.status else 0
        ready = min(serving, wanted)
        return Engines(ready=ready, starting=wanted - ready)

    async def scale(self, pool: Pool, replicas: int) -> None:
        name = self._name(pool)
        await self._api.call(
            f"patch deployments/{name}/scale",
            self._api.apps.patch_namespaced_deployment_scale(
                name,
                self._api.namespace,
                {"spec": {"replicas": replicas}},
                field_manager=FIELD_MANAGER,
                _content_type=_MERGE_PATCH,
            ),
        )

    def _name(self, pool: Pool) -> str:
        try:
            return self._deployments[pool]
        except KeyError:
            raise NotFound(f"deployments: none is named for the {pool} engines") from None
