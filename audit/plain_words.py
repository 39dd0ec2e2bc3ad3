"""Evidence and grounds in words for people. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.judgements import Ground
from audit.observations import EvidenceKind

GROUND_WORDS: Mapping[Ground, str] = {
    Ground.IDENTICAL: "read back from the destination and found identical",
    Ground.EQUIVALENT: "read back from the destination and found to have the same content",
    Ground.PRESENT: "found at the destination when it was asked afterwards",
    Ground.COMMITTED: "committed by the destination (storage commitment)",
    Ground.ACKNOWLEDGED: "acknowledged by a destination that is declared to answer only after saving",
    Ground.DIFFERENT: "other content is at the destination",
    Ground.CONFLICT: "other content was at the destination before anything was sent",
    Ground.ABSENT: "not found at the destination",
    Ground.COMMITMENT_REFUSED: "denied by storage commitment",
    Ground.REFUSED: "refused by the destination",
    Ground.NOT_SENT: "not sent",
    Ground.CONTRADICTION: "two proofs contradict each other",
    Ground.UNREADABLE: "the destination says that it is there, but did not hand it over when it was read back",
    Ground.REMOVED: "we asked the destination to remove it again, and nothing shows whether it did",
    Ground.WAS_THERE_BEFORE: "the UID was there before, and its content was not compared",
    Ground.OTHER_CONTENT_SENT: "other content was sent there under the same UID, and nobody compared",
    Ground.LISTED_THOUGH_NOT_OURS: "listed, though nothing shows that it came from this transfer",
    Ground.ACKNOWLEDGED_ONLY: "acknowledged, which alone proves nothing",
    Ground.ANSWER_UNCLEAR: "answered unclearly",
    Ground.NO_ANSWER: "sent, and not answered",
    Ground.NOT_ASKED: "nothing is known of it yet",
}

KIND_WORDS: Mapping[EvidenceKind, str] = {
    EvidenceKind.NOT_SENT: "Not sent",
    EvidenceKind.SENT: "Sent whole; no answer yet",
    EvidenceKind.NO_ANSWER: "No answer came after sending had begun",
    EvidenceKind.REMOVAL_ASKED: "The destination was asked to remove it again",
    EvidenceKind.ACKNOWLEDGED: "Acknowledged by the destination",
    EvidenceKind.REFUSED: "Refused by the destination",
    EvidenceKind.ANSWER_UNCLEAR: "Answered unclearly",
    EvidenceKind.JOB_SUCCEEDED: "The job says that it was sent",
    EvidenceKind.JOB_FAILED: "The job failed, and names no instance",
    EvidenceKind.COMMITTED: "Committed by the destination",
    EvidenceKind.COMMITMENT_REFUSED: "Denied by storage commitment",
    EvidenceKind.COMMITMENT_FAILED: "Storage commitment failed, which denies nothing",
    EvidenceKind.NOT_MENTIONED: "Asked about, and not mentioned by storage commitment",
    EvidenceKind.COMMITMENT_OVERDUE: "No result of storage commitment came in time",
    EvidenceKind.PRESENT: "Listed by the destination",
    EvidenceKind.ABSENT: "Not listed by the destination, asked in every way",
    EvidenceKind.IDENTICAL: "Read back: identical",
    EvidenceKind.EQUIVALENT: "Read back: the same content, encoded otherwise",
    EvidenceKind.DIFFERENT: "Read back: other content",
    EvidenceKind.CONFLICT: "Other content was there before",
    EvidenceKind.UNREADABLE: "Read back: the destination did not hand it over",
    EvidenceKind.PROBE_FAILED: "The destination could not be asked",
}


def evidence_text(kind: EvidenceKind, detail: Mapping[str, Any]) -> str:
    """One piece of evidence in a line: what it is, with what was said with it."""
    said = what_was_said(detail)
    return f"{KIND_WORDS[kind]}: {said}" if said else KIND_WORDS[kind]


def what_was_said(detail: Mapping[str, Any]) -> str:
    """The status code with its meaning and the destination's comment, else the reason."""
    if status_code := detail.get("status_code"):
        comment = f": “{detail['error_comment']}”" if detail.get("error_comment") else ""
        return f"{status_code} {detail.get('meaning', '')}".strip() + comment
    return str(detail.get("reason", ""))
