"""Follows one job to its end, and cancels it where the transfer is stopped."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from audit.observations import Occurrence
from transfers.errors import JobForgotten, RequestError, TransferError, TransferStopped
from transfers.methods.base import Checkpoint, Seen, SendContext
from transfers.methods.orthanc_job_calls import Calls
from transfers.methods.orthanc_job_outcome import Outcome, lost, outcome_of
from transfers.wire.orthanc_jobs import Job, OrthancJobs

TELL_SECONDS = 1.0
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS, _LOOKS_EACH = 0.02, 0.5, 0.1
"""A job is looked at again after a tenth of the time that it has taken so far, within these bounds."""


@dataclass(frozen=True, slots=True)
class JobHandle:
    """What must be known of a job to follow it."""

    job_id: str
    """Empty where the job may have been begun, but nobody was told its ID."""
    is_remote: bool
    """Whether it lives on the destination, which fetches by itself."""
    sop_instance_uids: tuple[str, ...]
    """What it is to send."""

    def as_json(self) -> dict[str, Any]:
        where = "destination" if self.is_remote else "source"
        return {"id": self.job_id, "where": where, "sop_instance_uids": list(self.sop_instance_uids)}

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self | None:
        """None where it is about something else."""
        if checkpoint.kind != "job":
            return None
        handle = checkpoint.handle
        return cls(handle["id"], handle["where"] == "destination", tuple(handle["sop_instance_uids"]))


def jobs_of(checkpoints: Iterable[Checkpoint]) -> tuple[JobHandle, ...]:
    """Each once, in their order."""
    handles = (JobHandle.of(checkpoint) for checkpoint in checkpoints)
    return tuple(dict.fromkeys(handle for handle in handles if handle is not None))


def may_go_on(where: OrthancJobs, handle: JobHandle, types: frozenset[str]) -> bool:
    """Whether the job may still send something: it has not ended, or nobody can tell.

    Of a job without an ID nobody can tell as long as any of its kind is under way. One that is not known any more has
    ended: only those are forgotten, and those that a restart ended.
    """
    try:
        if not handle.job_id:
            return where.has_under_way(types)
        job = where.read(handle.job_id)
    except RequestError:
        return True
    return job is not None and not job.has_ended


class Following:
    """From a job's beginning, or from wherever an earlier process left it, to its end."""

    def __init__(self, where: OrthancJobs, handle: JobHandle, calls: Calls, context: SendContext) -> None:
        self._where = where
        self._handle = handle
        self._calls = calls
        self._stop = context.stop
        self._policy = context.reconnect
        self._began = time.monotonic()
        self._failures = 0
        """Looks in a row that were not answered."""
        self._was_cancelled = False
        self._told_at = self._began
        self._told: tuple[str, int] = ("", -1)

    def run(self, types: frozenset[str], count_member: str) -> Generator[Seen, None, Outcome]:
        """What it says in the end; it is lost where it is forgotten, or does not answer for too long."""
        handle = self._handle
        yield self._occurred("job_started", instances=len(handle.sop_instance_uids))
        job = yield from self._end()
        if not isinstance(job, Job):
            yield self._occurred("job_lost", code=job.code, reason=str(job))
            return lost(job)
        yield self._ended(job)
        outcome = outcome_of(job, types=types, instances=len(handle.sop_instance_uids), count_member=count_member)
        return replace(outcome, detail={"job": handle.job_id, **outcome.detail})

    def _end(self) -> Generator[Seen, None, Job | TransferError]:
        """The job once it has ended, or why nobody will know."""
        while True:
            if self._stop.is_set() and (gone := (yield from self._cancelled())):
                return gone
            try:
                job = yield from self._calls.run(lambda: self._where.read(self._handle.job_id))
            except RequestError as error:
                if self._is_hopeless(error):
                    return error
                yield from self._calls.pause(self._policy.wait_seconds(self._failures))
                continue
            self._failures = 0
            if job is None:
                return JobForgotten()
            if job.has_ended:
                return job
            yield from self._progress(job)
            yield from self._calls.pause(self._look_seconds())

    def _cancelled(self) -> Generator[Seen, None, TransferError | None]:
        """Have it cancelled, once; an error where its end was waited for long enough."""
        if self._calls.check_time():
            return TransferStopped("The transfer was stopped, and the source did not end its job in time.")
        if self._was_cancelled:
            yield from self._calls.rest()
            return None
        self._was_cancelled = True
        try:
            yield from self._calls.run(lambda: self._where.cancel(self._handle.job_id))
        except RequestError as error:
            yield self._occurred("job_not_cancelled", code=error.code, reason=str(error))
        return None

    def _is_hopeless(self, error: RequestError) -> bool:
        self._failures += 1
        return not error.retriable or self._failures >= self._policy.attempts or self._calls.check_time()

    def _look_seconds(self) -> float:
        taken = time.monotonic() - self._began
        return min(_LONGEST_LOOK_SECONDS, max(_FIRST_LOOK_SECONDS, taken * _LOOKS_EACH))

    def _progress(self, job: Job) -> Iterator[Seen]:
        """Where it is new, and not more often than people can read."""
        now, told = time.monotonic(), (job.state, job.progress)
        if told == self._told or now - self._told_at < TELL_SECONDS:
            return
        self._told_at, self._told = now, told
        yield self._occurred("job_progress", state=job.state, progress=job.progress)

    def _ended(self, job: Job) -> Occurrence:
        detail: dict[str, Any] = {"state": job.state, "progress": job.progress, "error_code": job.error_code}
        if job.said:
            detail["reason"] = job.said
        return self._occurred("job_ended", **detail, seconds=round(time.monotonic() - self._began, 3))

    def _occurred(self, name: str, **detail: Any) -> Occurrence:
        where = "destination" if self._handle.is_remote else "source"
        return Occurrence(name, datetime.now(UTC), {"job": self._handle.job_id, "where": where, **detail})
