"""The autoscaler as a process: the replica that holds the lease scales the engines' Deployments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from ssr.autoscaler.election import leading
from ssr.autoscaler.kubernetes_api import KubernetesApi, open_kubernetes
from ssr.autoscaler.kubernetes_lease import KubernetesLease
from ssr.autoscaler.kubernetes_scale import KubernetesActuator
from ssr.autoscaler.loop import Autoscaler
from ssr.autoscaler.metrics import ScalingMetrics
from ssr.autoscaler.reports import ReportStore
from ssr.autoscaler.settings import AutoscalerSettings
from ssr.runtime.redis.client import RedisClient, open_redis
from ssr.runtime.rpc.server import running_service
from ssr.runtime.telemetry.telemetry import open_telemetry


@asynccontextmanager
async def running_autoscaler(settings: AutoscalerSettings) -> AsyncIterator[int]:
    """The autoscaler, deciding whenever it leads until the block ends; yields the port of its health service.

    Raises: CapabilityMissing without the kubernetes package; NotFound or InvalidRequest where the API is not known.
    """
    async with AsyncExitStack() as stack:
        telemetry = await stack.enter_async_context(open_telemetry("autoscaler", settings))
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        api = await stack.enter_async_context(
            open_kubernetes(timeout_s=settings.api_timeout_s, namespace=settings.namespace)
        )
        metrics = ScalingMetrics(telemetry.registry)
        await stack.enter_async_context(_deciding(settings, redis, api, metrics))
        yield await stack.enter_async_context(running_service(settings, telemetry, []))


def _deciding(
    settings: AutoscalerSettings, redis: RedisClient, api: KubernetesApi, metrics: ScalingMetrics
) -> AbstractAsyncContextManager[None]:
    deployments = settings.deployments.of
    autoscaler = Autoscaler(
        ReportStore(redis, ttl_s=settings.scaling.report_ttl_s),
        KubernetesActuator(api, deployments),
        settings.scaling,
        pools=tuple(deployments),
        observers=[metrics],
    )
    lease = KubernetesLease(api, settings.lease, settings.replica, lease_s=settings.lease_s)
    return leading(lease, autoscaler.run, renew_s=settings.renew_s, retry_s=settings.retry_s, on_change=metrics.leading)
