"""SSR from a notebook or a script, without async. Needs `ssr up`."""

# ruff: noqa: T201
from __future__ import annotations

from ssr.client import Client
from ssr.core.job import Finished
from ssr.core.run import StepCommitted

with Client("127.0.0.1:7600") as client:
    job = client.solve("What is 15 % of 80?", paths=3, timeout_s=300)
    print(job.status, job.answer, job.usage.decode_ratio)

    # Nobody waits for these: they let interactive jobs go first.
    submitted = [client.submit(f"What is {n} % of 80?", priority="batch", max_steps=50) for n in (5, 10, 15)]

    # Drafting a step ahead hides the time that scoring takes.
    for event in client.stream("What is 17 * 6 + 4?", mode="ssd", lookahead=1):
        if isinstance(event.happening, StepCommitted):
            print(event.happening.step.text)

    for job in submitted:
        *_, last = client.watch(job.job_id)
        assert isinstance(last.happening, Finished)
        print(last.happening.job.status, last.happening.job.answer)
