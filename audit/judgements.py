"""The words and values of the verdict calculus: what goes in, and what comes out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from audit.observations import EvidenceKind


class InstanceVerdict(StrEnum):
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNPROVEN = "unproven"
    PENDING = "pending"
    """The audit is still open and nothing decides yet."""


class StudyVerdict(StrEnum):
    COMMITTED = "committed"
    PARTIAL = "partial"
    NOTHING_STORED = "nothing-stored"
    UNVERIFIABLE = "unverifiable"
    PENDING = "pending"


class WasThereBefore(StrEnum):
    """Whether the first preflight of the transfer found the UID at the destination."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class KnownContent(StrEnum):
    """What our own ledger knows of an instance's content at the destination, from the transfers before and beside."""

    NOTHING = "nothing"
    SAME = "same"
    """Proved to be there: exactly the data set of this digest, and no other was ever sent there under the UID."""
    OTHER = "other"
    """A data set of another digest was sent there under the same UID: nothing says which of them is there."""


class Ground(StrEnum):
    """Why an instance has its verdict: what the reason sentences count."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    PRESENT = "present"
    COMMITTED = "committed"
    ACKNOWLEDGED = "acknowledged"

    DIFFERENT = "different"
    CONFLICT = "conflict"
    ABSENT = "absent"
    COMMITMENT_REFUSED = "commitment-refused"
    REFUSED = "refused"
    NOT_SENT = "not-sent"

    CONTRADICTION = "contradiction"
    UNREADABLE = "unreadable"
    """Something proves that it is there, but the destination could not hand it over when it was asked to."""
    REMOVED = "removed"
    """It was proved to be there, but then we asked to have it removed, and nothing shows since whether it is there."""
    WAS_THERE_BEFORE = "was-there-before"
    OTHER_CONTENT_SENT = "other-content-sent"
    """We sent other content there under the same UID, and nobody compared."""
    LISTED_THOUGH_NOT_OURS = "listed-though-not-ours"
    """Listed, but our sending was not acknowledged, and what was there before is not known."""
    ACKNOWLEDGED_ONLY = "acknowledged-only"
    ANSWER_UNCLEAR = "answer-unclear"
    NO_ANSWER = "no-answer"
    NOT_ASKED = "not-asked"
    """Nothing is known of it."""


#: The weakest first: a study's proof is its weakest instance's.
PROOFS = (Ground.ACKNOWLEDGED, Ground.COMMITTED, Ground.PRESENT, Ground.EQUIVALENT, Ground.IDENTICAL)


@dataclass(frozen=True, slots=True)
class Fact:
    """What the calculus needs of one piece of evidence."""

    kind: EvidenceKind
    round: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What the admin declared of the destination. Both are off by default."""

    acknowledgement_means_stored: bool = False
    """It answers only after saving, and drops nothing."""
    same_uid_means_same_content: bool = False
    """Whatever it held under a UID before is what we would have sent."""


@dataclass(frozen=True, slots=True)
class InstanceJudgement:
    verdict: InstanceVerdict
    ground: Ground
    is_contradiction: bool = False
    """Two kinds of proof deny each other; shown on top, whatever the verdict."""
