"""The client of SSR's public API, for product services and notebooks.

    async with AsyncClient("ssr:7600") as client:
        job = await client.solve("What is 15 % of 80?", paths=3, timeout_s=120)
        print(job.answer)

`Client` is the same without `async`. A server with TLS and API keys is `AsyncClient("ssr.example.com:443", tls=Tls(),
api_key=os.environ["SSR_API_KEY"])`. Every failure is one of `ssr.core.errors`.
"""

from ssr.client.async_client import AsyncClient
from ssr.client.batch import Batch, BatchItem, ServerInfo
from ssr.client.files import File
from ssr.client.job_json import job_to_json
from ssr.client.pools import PoolDecision, PoolStatus
from ssr.client.request import SolveOptions
from ssr.client.sync_client import Client
from ssr.core.job import Event, Job, JobPage, Priority
from ssr.core.retry import Backoff
from ssr.runtime.rpc.tls import Tls

__all__ = [
    "AsyncClient",
    "Backoff",
    "Batch",
    "BatchItem",
    "Client",
    "Event",
    "File",
    "Job",
    "JobPage",
    "PoolDecision",
    "PoolStatus",
    "Priority",
    "ServerInfo",
    "SolveOptions",
    "Tls",
    "job_to_json",
]
