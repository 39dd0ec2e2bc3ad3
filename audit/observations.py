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
    ACKNOWLEDGED = "acknowledged"
    """A success, or a warning kept with its code (PS3.4 B.2.3)."""
    REFUSED = "refused"
    """A failure status that PS3.4 B.2.3 or PS3.7 Annex C lists."""
    ANSWER_UNCLEAR = "answer-unclear"
    """0x0111 (duplicate SOP instance), or a status code in no table."""
    PRESENT = "present"
    ABSENT = "absent"
    """Earned: finished lists, settle time and a direct question did not find it."""
    PROBE_FAILED = "probe-failed"
    """The destination was asked and did not answer the question."""


N, O, P = Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE

MEANING: Mapping[EvidenceKind, tuple[Family, Polarity]] = {
    EvidenceKind.NOT_SENT: (Family.SENDING, N),
    EvidenceKind.SENT: (Family.SENDING, O),
    EvidenceKind.NO_ANSWER: (Family.SENDING, O),
    EvidenceKind.ACKNOWLEDGED: (Family.ANSWER, P),
    EvidenceKind.REFUSED: (Family.ANSWER, N),
    EvidenceKind.ANSWER_UNCLEAR: (Family.ANSWER, O),
    EvidenceKind.PRESENT: (Family.PRESENCE, P),
    EvidenceKind.ABSENT: (Family.PRESENCE, N),
    EvidenceKind.PROBE_FAILED: (Family.PRESENCE, O),
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
