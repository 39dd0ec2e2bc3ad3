"""What is seen of an instance, in the words of the verdict calculus. Pure: no Django, no I/O.

An observation is a fact just seen; stored, it is evidence. Each kind belongs to one family (sending, answer, job,
commitment, presence, content), and within its family it speaks for the instance, against it, or neither way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any


class Family(StrEnum):
    """Whose word it is: ours, the peer's answer, a job's, or what a probe asked afterwards."""

    SENDING = "sending"
    ANSWER = "answer"
    JOB = "job"
    COMMITMENT = "commitment"
    PRESENCE = "presence"
    CONTENT = "content"


class Polarity(Enum):
    NEGATIVE = -1
    NEUTRAL = 0
    POSITIVE = 1


class EvidenceKind(StrEnum):
    """Every kind of evidence, spelled as in the report."""

    NOT_SENT = "not-sent"
    """Nothing of it left us, or not its last fragment: the peer cannot have stored it."""
    SENT = "sent"
    """All its bytes were written; no answer yet. Carries the SHA-256 of the data set."""
    NO_ANSWER = "no-answer"
    """The association was lost or timed out after sending had begun."""
    REMOVAL_ASKED = "removal-asked"
    """We set out to have it removed again: what was proved before proves nothing any more."""
    ACKNOWLEDGED = "acknowledged"
    """A success, or a warning kept with its code (PS3.4 B.2.3)."""
    REFUSED = "refused"
    """A failure status that PS3.4 B.2.3 or PS3.7 Annex C lists."""
    ANSWER_UNCLEAR = "answer-unclear"
    """0x0111 (duplicate SOP instance), or a status code in no table."""
    JOB_SUCCEEDED = "job-succeeded"
    """A source's own job says that it sent the instance: a claim."""
    JOB_FAILED = "job-failed"
    """The job failed; it names no instance and has usually stored a part."""
    COMMITTED = "committed"
    """Listed as a success by a storage commitment result (PS3.4 J.3.3)."""
    COMMITMENT_REFUSED = "commitment-refused"
    """Listed with 0x0112 (no such object instance) or 0x0119 (class-instance conflict)."""
    COMMITMENT_FAILED = "commitment-failed"
    """Any other reason, or the request itself was refused: the SCP does not commit, which denies nothing."""
    NOT_MENTIONED = "not-mentioned"
    """We asked about it, and the result lists it neither way."""
    COMMITMENT_OVERDUE = "commitment-overdue"
    PRESENT = "present"
    ABSENT = "absent"
    """Earned: finished lists, settle time and a direct question did not find it."""
    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    """Same elements and pixels, in another encoding."""
    DIFFERENT = "different"
    CONFLICT = "conflict"
    """Other content was there under the same UID before anything was sent."""
    UNREADABLE = "unreadable"
    """The destination was asked for its content, could be read, and did not hand over this one: it may be an index."""
    PROBE_FAILED = "probe-failed"
    """The destination was asked (for presence or content) and did not answer the question."""


_AGAINST, _NEITHER, _FOR = Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE

MEANING: Mapping[EvidenceKind, tuple[tuple[Family, ...], Polarity]] = {
    EvidenceKind.NOT_SENT: ((Family.SENDING,), _AGAINST),
    EvidenceKind.SENT: ((Family.SENDING,), _NEITHER),
    EvidenceKind.NO_ANSWER: ((Family.SENDING,), _NEITHER),
    EvidenceKind.REMOVAL_ASKED: ((Family.SENDING,), _NEITHER),
    EvidenceKind.ACKNOWLEDGED: ((Family.ANSWER,), _FOR),
    EvidenceKind.REFUSED: ((Family.ANSWER,), _AGAINST),
    EvidenceKind.ANSWER_UNCLEAR: ((Family.ANSWER,), _NEITHER),
    EvidenceKind.JOB_SUCCEEDED: ((Family.JOB,), _FOR),
    EvidenceKind.JOB_FAILED: ((Family.JOB,), _NEITHER),
    EvidenceKind.COMMITTED: ((Family.COMMITMENT,), _FOR),
    EvidenceKind.COMMITMENT_REFUSED: ((Family.COMMITMENT,), _AGAINST),
    EvidenceKind.COMMITMENT_FAILED: ((Family.COMMITMENT,), _NEITHER),
    EvidenceKind.NOT_MENTIONED: ((Family.COMMITMENT,), _NEITHER),
    EvidenceKind.COMMITMENT_OVERDUE: ((Family.COMMITMENT,), _NEITHER),
    EvidenceKind.PRESENT: ((Family.PRESENCE,), _FOR),
    EvidenceKind.ABSENT: ((Family.PRESENCE,), _AGAINST),
    EvidenceKind.IDENTICAL: ((Family.CONTENT,), _FOR),
    EvidenceKind.EQUIVALENT: ((Family.CONTENT,), _FOR),
    EvidenceKind.DIFFERENT: ((Family.CONTENT,), _AGAINST),
    EvidenceKind.CONFLICT: ((Family.CONTENT,), _AGAINST),
    # Denies only the proofs: what nothing proves it leaves as it is (see `audit.verdicts`).
    EvidenceKind.UNREADABLE: ((Family.CONTENT,), _AGAINST),
    # A probe that fails leaves open whatever it was run for; each run has a round of its own.
    EvidenceKind.PROBE_FAILED: ((Family.PRESENCE, Family.CONTENT), _NEITHER),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact just seen about one instance, not yet stored."""

    sop_instance_uid: str
    kind: EvidenceKind
    at: datetime
    """Aware, UTC."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only: status_code, reason, error_comment, sha256, association … never patient data."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A fact just seen about the transfer as a whole: an association opened, refused, lost, opened again."""

    name: str
    """Stable, snake_case: `association_opened`, `association_lost` …"""
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)
