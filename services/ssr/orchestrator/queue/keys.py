"""Every Redis key SSR uses. The keys of one job share a hash tag, and so do those of the queue: a script works on
one tag only, which is what a Redis Cluster asks for.

    ssr:{queue}:interactive   Stream, consumer group "orchestrators": {job, paths}, one entry a job that is not finished
    ssr:{queue}:batch         and whose tenant has room for it; a stream for each priority
    ssr:{queue}:jobs          Hash: job id -> "<priority> <tenant> <paths> <entry id>" of every unfinished job; without
                              the entry id while the job waits for its tenant's turn
    ssr:{queue}:tenants       Hash: "<priority> <tenant>" -> how many of its jobs have an entry
    ssr:{queue}:waiting:<priority> <tenant>    List: its jobs that wait for a turn, first come first
    ssr:{queue}:index         Sorted set: job ids by the time they were created (ms since 1970)
    ssr:{<batch>}:batch       Hash: tenant, created, total (jobs), fingerprint of the request; its jobs have the keys
                              "<batch>/<number>"
    ssr:{files}:entries       Hash: "<tenant> <file id>" -> JSON: name, purpose, bytes, created, expires (ms since 1970)
    ssr:{files}:expiry        Sorted set: the same names by when they expire (ms since 1970)
    ssr:{files}:used          Hash: tenant -> bytes of its files; "files <tenant>" -> how many; "" -> bytes of all
    ssr:{files}:content:<tenant> <file id>    String with a time to live: what is in the file
    ssr:{queue}:rate:<tenant or caller>:<name>:<jobs, paths or tokens>    String with a time to live: ms since 1970 when
                              the minute's allowance would be full again
    ssr:{queue}:paused        String: ms since 1970 when the queue was paused; absent: it is not
    ssr:{queue}:mark          String: any; another one than before means that Redis was emptied
    ssr:{queue}:drained       Hash: replica, or "*" for all -> ms since 1970; they take no more jobs
    ssr:{queue}:replicas      Hash: replica -> "<ms since 1970 of its last report> <jobs in hand>"
    ssr:{queue}:listed        Hash: job id -> JSON {"t": tenant, "l": {labels}}, to find jobs by
    ssr:notices               Pub/sub channel: "<what> <job id>", what = event | finished | cancel, and "queued queue"
                              | "released queue". A hint, never the truth: whoever listens also looks for itself
    ssr:{<job>}:meta          Hash, see below
    ssr:{<job>}:waiters       Hash: who waits for the job and for nothing else -> ms since 1970 of their deadline, or ""
    ssr:{<job>}:events        Stream: {e: serialised Event}: all that happened, the decisions of the run among it. It is
                              the journal and what watchers read; an entry's id is the cursor and holds the time

Fields of meta:

    request      serialised SolveRequest, every default filled in
    fingerprint  of the request as it came, for idempotency keys
    tenant       who asked
    status       a JobStatus
    epoch        raised with every claim; writes of an older epoch are refused
    entry        the id of the queue entry it was first claimed with; other entries of the same job are duplicates
    owner        the replica that claimed the job last
    told         the epoch of the last claim that was reported
    takeovers    how often it was claimed from an owner that had not handed it back
    created, started, finished    ms since 1970
    cancel       once the job's end is asked for: "1" by somebody, "left" as all who waited for it have left, "late
                 <reason>" as their deadlines have passed
    submitted    "1" once somebody submitted it, "0" while it is only waited for; absent (older replicas): as "1"
    same         fingerprint of the request with every default filled in
    latest       of a job that was left: which attempt of its idempotency key is the newest
    trace        W3C traceparent of the span that submitted it; absent where nobody traces
    path:<i>     "<n> <SHA-1>": path i has n committed steps, and the digest of the last one's event
    selected     digest of the event of the strategies, once they are committed
    end:<i>      digest of the event of how path i ended
    result       serialised Job without steps, once finished

An unfinished job has no time to live but between its creation and its queueing; a finished one expires.
"""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "orchestrators"
QUEUE_TAG = "ssr:{queue}:"
UNFINISHED = f"{QUEUE_TAG}jobs"
INDEX = f"{QUEUE_TAG}index"
LISTED = f"{QUEUE_TAG}listed"
PAUSED = f"{QUEUE_TAG}paused"
MARK = f"{QUEUE_TAG}mark"
DRAINED = f"{QUEUE_TAG}drained"
REPLICAS = f"{QUEUE_TAG}replicas"
WAKEUPS = "ssr:notices"
FILES = "ssr:{files}:entries"
#: What scripts on files have before the content's key.
FILE_KEYS = (FILES, "ssr:{files}:expiry", "ssr:{files}:used")


def rate_key(kind: str, name: str, what: str) -> str:
    return f"{QUEUE_TAG}rate:{kind}:{name}:{what}"


def file_key(tenant: str, file_id: str) -> str:
    return f"ssr:{{files}}:content:{tenant} {file_id}"


def batch_key(batch_id: str) -> str:
    return f"ssr:{{{batch_id}}}:batch"


def stream(priority: str) -> str:
    """The queue of one priority."""
    return f"{QUEUE_TAG}{priority}"


@dataclass(frozen=True, slots=True)
class JobKeys:
    """The keys of one job."""

    job_id: str

    @property
    def meta(self) -> str:
        return f"ssr:{{{self.job_id}}}:meta"

    @property
    def events(self) -> str:
        return f"ssr:{{{self.job_id}}}:events"

    @property
    def waiters(self) -> str:
        return f"ssr:{{{self.job_id}}}:waiters"

    @property
    def all(self) -> list[str]:
        """meta, events and waiters, in this order."""
        return [self.meta, self.events, self.waiters]

    @property
    def both(self) -> list[str]:
        """meta and events, in this order."""
        return [self.meta, self.events]
