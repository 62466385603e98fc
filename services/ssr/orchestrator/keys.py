"""Every Redis key SSR uses. The keys of one job share a hash tag, so that its scripts work on a Redis Cluster.

    ssr:jobs                  Stream, consumer group "orchestrators": one entry {job} a job that is not finished
    ssr:index                 Sorted set: job ids by the time they were created (ms since 1970)
    ssr:notices               Pub/sub channel: "<what> <job id>", what = event | cancel, and "released queue". A hint,
                              never the truth: whoever listens also looks for itself now and then
    ssr:{<job>}:meta          Hash, see below
    ssr:{<job>}:path:<i>      List: the committed steps of path i, each a serialised Event
    ssr:{<job>}:events        Stream: {e: serialised Event}; an entry's id is the cursor and holds the time

Fields of meta:

    request      serialised SolveRequest, every default filled in
    fingerprint  of the request as it came, for idempotency keys
    status       a JobStatus
    epoch        raised with every claim; writes of an older epoch are refused
    owner        the replica that claimed the job last
    takeovers    how often it was claimed from an owner that had not handed it back
    created, started, finished    ms since 1970
    cancel       "1" once somebody asked for the job's end
    selected     serialised Event: the strategies
    end:<i>      serialised Event: how path i ended
    result       serialised Job without steps, once finished
"""

from __future__ import annotations

from dataclasses import dataclass

JOBS = "ssr:jobs"
GROUP = "orchestrators"
INDEX = "ssr:index"
NOTICES = "ssr:notices"


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

    def path(self, index: int) -> str:
        return f"ssr:{{{self.job_id}}}:path:{index}"

    def all(self, paths: int) -> list[str]:
        """meta, events, and the list of each path, in this order."""
        return [self.meta, self.events, *(self.path(index) for index in range(paths))]
