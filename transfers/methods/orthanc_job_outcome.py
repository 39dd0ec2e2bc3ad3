"""What the end of a job of a source says of the instances that it was to send. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.observations import EvidenceKind
from transfers.errors import JobCancelled, JobFailed, JobForgotten, JobIncomplete, TransferError
from transfers.wire.orthanc_jobs import SUCCESS, Job
from transfers.wire.store_answer import judge_status

CANCELLED = 37
"""The error code of a job that somebody cancelled."""
_DIMSE_STATUS = re.compile(r"DIMSE status 0x([0-9A-Fa-f]{4})\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The kind of evidence that it is for each of those instances, with its details."""

    kind: EvidenceKind
    detail: Mapping[str, Any] = field(default_factory=dict)
    error: TransferError | None = None
    """Why it is no success."""

    @property
    def may_pass(self) -> bool:
        """Whether a new job can succeed without anybody changing anything."""
        return self.error is None or self.error.retriable

    @property
    def is_success(self) -> bool:
        return self.kind is EvidenceKind.JOB_SUCCEEDED

    @property
    def may_go_on(self) -> bool:
        """Whether the job may be sending still: nobody knows of its end. One that is forgotten has ended."""
        return self.kind is EvidenceKind.NO_ANSWER and not isinstance(self.error, JobForgotten)

    @property
    def is_about_each(self) -> bool:
        """Whether it was said of the instance itself: it is not sent again."""
        return self.kind is EvidenceKind.REFUSED


def outcome_of(job: Job, *, types: frozenset[str], instances: int, count_member: str) -> Outcome:
    """`instances`: how many it was given; `count_member`: where jobs of these types tell how many they have.

    A job that has fewer, or does not say, succeeded at something else: with none at all it succeeds, too.
    """
    if job.job_type not in types:
        return lost(JobForgotten("Under the ID of the job the source has another kind of job now."))
    if job.state == SUCCESS:
        return _success(job, instances, count_member)
    if job.error_code == CANCELLED:
        return _failed(JobCancelled(), job)
    if instances == 1 and (refusal := _refusal(job)):
        return refusal
    return _failed(JobFailed(f"The source's job failed: {job.said}." if job.said else ""), job)


def lost(error: TransferError) -> Outcome:
    """Nobody knows what became of the job."""
    return Outcome(EvidenceKind.NO_ANSWER, {"code": error.code, "reason": str(error)}, error)


def _success(job: Job, instances: int, count_member: str) -> Outcome:
    counted, skipped = job.count(count_member), job.count("FailedInstancesCount") or 0
    if counted == instances and not skipped:
        return Outcome(EvidenceKind.JOB_SUCCEEDED, {"instances": instances})
    told = "does not say how many" if counted is None else f"had {counted - skipped} of them"
    error = JobIncomplete(f"The source's job was given {instances} instances, ended in success, and {told}.")
    return _failed(error, job)


def _failed(error: TransferError, job: Job) -> Outcome:
    detail = {"code": error.code, "reason": str(error), "error_code": job.error_code, "progress": job.progress}
    return Outcome(EvidenceKind.JOB_FAILED, detail, error)


def _refusal(job: Job) -> Outcome | None:
    """Of a job of one instance, the status with which the destination answered that one (PS3.4 B.2.3)."""
    told = _DIMSE_STATUS.search(job.said)
    if told is None:
        return None
    answer = judge_status(int(told.group(1), 16))
    if answer.kind is not EvidenceKind.REFUSED:
        return None
    detail = {"status_code": f"0x{told.group(1).upper()}", "meaning": answer.meaning, "reason": job.said}
    return Outcome(EvidenceKind.REFUSED, detail)
