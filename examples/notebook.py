"""SSR from a notebook or a script, without async. Needs `ssr up`."""

# ruff: noqa: T201
from __future__ import annotations

from ssr.client import Client
from ssr.core.run import StepCommitted

with Client("127.0.0.1:7600") as client:
    job = client.solve("What is 15 % of 80?", paths=3, timeout_s=300)
    print(job.status, job.answer, job.usage.decode_ratio)

    for event in client.stream("What is 17 * 6 + 4?", mode="ssd"):
        if isinstance(event.happening, StepCommitted):
            print(event.happening.step.text)
