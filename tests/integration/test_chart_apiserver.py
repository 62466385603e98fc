"""The rights that the chart gives, at a real kube-apiserver; see kube_apiserver.py for what it needs."""

from __future__ import annotations

from pathlib import Path

from chart_manifests import preset, render
from kube_apiserver import NAMESPACE, ApiServer, running_apiserver

RIGHTS = ("ServiceAccount", "Role", "RoleBinding")


async def install_rights(server: ApiServer) -> None:
    for kind in RIGHTS:
        for manifest in render(preset("kind"), namespace=NAMESPACE).of(kind):
            group = "api" if kind == "ServiceAccount" else "apis"
            path = f"/{group}/{manifest['apiVersion']}/namespaces/{NAMESPACE}/{kind.lower()}s"
            await server.make(path, **manifest)


async def test_the_autoscaler_may_do_its_work_and_nothing_else(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server:
        await install_rights(server)
        engine, other = "ssr-engine-target", "ssr-orchestrator"
        allowed = [
            ("apps", "deployments", "", "get", engine),
            ("apps", "deployments", "scale", "patch", engine),
            ("coordination.k8s.io", "leases", "", "get", "ssr-autoscaler"),
            ("coordination.k8s.io", "leases", "", "update", "ssr-autoscaler"),
            ("coordination.k8s.io", "leases", "", "create", "ssr-autoscaler"),
        ]
        denied = [
            ("apps", "deployments", "scale", "patch", other),
            ("apps", "deployments", "", "get", other),
            ("apps", "deployments", "", "patch", engine),
            ("apps", "deployments", "", "list", ""),
            ("apps", "deployments", "", "delete", engine),
            ("coordination.k8s.io", "leases", "", "update", "another"),
            ("coordination.k8s.io", "leases", "", "delete", "ssr-autoscaler"),
            ("", "secrets", "", "get", "ssr-redis"),
            ("", "pods", "", "list", ""),
        ]
        assert [await _may(server, "ssr-autoscaler", *what) for what in allowed] == [True] * len(allowed)
        assert [await _may(server, "ssr-autoscaler", *what) for what in denied] == [False] * len(denied)
        assert [await _may(server, "ssr-orchestrator", *what) for what in allowed] == [False] * len(allowed)


async def _may(
    server: ApiServer, account: str, group: str, resource: str, subresource: str, verb: str, name: str
) -> bool:
    answer = await server.make(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        spec={
            "user": f"system:serviceaccount:{NAMESPACE}:{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"],
            "resourceAttributes": {
                "namespace": NAMESPACE,
                "group": group,
                "resource": resource,
                "subresource": subresource,
                "verb": verb,
                "name": name,
            },
        },
    )
    return bool(answer["status"]["allowed"])
