"""The custom resources that the chart makes: of each, the fields that it may use, as its operator's CRD has them.

Kubernetes' own schemas know none of these. An unknown field is refused here as the API server refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 0}
STRINGS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}


def closed(fields: Mapping[str, Schema], *optional: str) -> Schema:
    """An object with exactly these fields."""
    required = sorted(set(fields) - set(optional))
    return {"type": "object", "properties": dict(fields), "required": required, "additionalProperties": False}


def some(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


_RULES = closed(
    {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "policies": some(
            closed(
                {
                    "type": {"enum": ["Pods", "Percent"]},
                    "value": {"type": "integer", "minimum": 1},
                    "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
                }
            )
        ),
        "tolerance": {"type": "string", "pattern": r"^[0-9.]+$"},
    },
    "tolerance",
)
_TRIGGER = closed(
    {
        "type": {"const": "external-push"},
        "metricType": {"enum": ["AverageValue", "Value"]},
        "metadata": closed(
            {"scalerAddress": TEXT, "pool": {"enum": ["draft", "target"]}, "enableTLS": {"const": "true"}}, "enableTLS"
        ),
        "authenticationRef": closed({"name": TEXT}),
    },
    "authenticationRef",
)
_ISSUER_REF = closed({"name": TEXT, "kind": TEXT, "group": TEXT})
_KEY = closed({"algorithm": {"const": "ECDSA"}, "size": {"const": 256}, "rotationPolicy": TEXT}, "rotationPolicy")

#: apiVersion and kind -> the schema of spec.
CRDS: Mapping[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): closed(
        {
            "scaleTargetRef": closed({"name": TEXT}),
            "minReplicaCount": NUMBER,
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "pollingInterval": NUMBER,
            "cooldownPeriod": NUMBER,
            "advanced": closed(
                {
                    "horizontalPodAutoscalerConfig": closed(
                        {"behavior": closed({"scaleUp": _RULES, "scaleDown": _RULES})}
                    )
                }
            ),
            "triggers": some(_TRIGGER),
        }
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): closed(
        {
            "secretTargetRef": some(
                closed({"parameter": {"enum": ["caCert", "tlsClientCert", "tlsClientKey"]}, "name": TEXT, "key": TEXT})
            )
        }
    ),
    ("cert-manager.io/v1", "Issuer"): {
        "oneOf": [closed({"selfSigned": closed({})}), closed({"ca": closed({"secretName": TEXT})})]
    },
    ("cert-manager.io/v1", "Certificate"): closed(
        {
            "secretName": TEXT,
            "duration": DURATION,
            "renewBefore": DURATION,
            "privateKey": _KEY,
            "dnsNames": some(TEXT),
            "usages": some({"enum": ["digital signature", "server auth", "client auth"]}),
            "issuerRef": _ISSUER_REF,
            "isCA": {"const": True},
            "commonName": {"type": "string", "maxLength": 64},
        },
        "renewBefore",
        "dnsNames",
        "usages",
        "isCA",
        "commonName",
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): closed(
        {
            "parentRefs": some(
                closed({"name": TEXT, "namespace": TEXT, "sectionName": TEXT}, "namespace", "sectionName")
            ),
            "hostnames": some(TEXT),
            "rules": some(
                closed(
                    {
                        "backendRefs": some(closed({"name": TEXT, "port": NUMBER})),
                        "timeouts": closed({"request": DURATION}),
                    }
                )
            ),
        },
        "hostnames",
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): closed(
        {
            "selector": closed({"matchLabels": STRINGS}),
            "jobLabel": TEXT,
            "endpoints": some(
                closed(
                    {
                        "port": TEXT,
                        "interval": DURATION,
                        "honorLabels": {"type": "boolean"},
                        "relabelings": some(closed({"targetLabel": TEXT, "replacement": TEXT})),
                    },
                    "honorLabels",
                )
            ),
        }
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): closed(
        {
            "groups": some(
                closed(
                    {
                        "name": TEXT,
                        "rules": some(
                            closed(
                                {
                                    "alert": TEXT,
                                    "expr": TEXT,
                                    "for": DURATION,
                                    "labels": STRINGS,
                                    "annotations": STRINGS,
                                },
                                "for",
                            )
                        ),
                    }
                )
            )
        }
    ),
}


def validate_custom(manifest: Mapping[str, Any], schema: Schema) -> None:
    """Raises: an error of jsonschema that names the field."""
    jsonschema = pytest.importorskip("jsonschema", reason="comes with kubernetes-validate (make test has it)")
    whole = closed({"apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "spec": schema})
    jsonschema.validate(manifest, whole)
