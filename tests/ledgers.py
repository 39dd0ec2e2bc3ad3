"""Audits as transfers leave them, for tests of what is kept of them."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, continue_audit, open_audit
from audit.models import Audit
from audit.observations import EvidenceKind, Observation
from tests.manifests import study

DESTINATION = AskedAt(UUID("6f1c3c54-9f5e-4d3e-9a53-2f2f4a7d9b10"), "pacs:104 PACS")


def observe(ledger: Ledger, kind: EvidenceKind, instances: int, uid: str, **detail: str) -> None:
    for number in range(1, instances + 1):
        ledger.record(Observation(f"{uid}.{number}", kind, timezone.now(), detail))


def send(ledger: Ledger, instances: int, uid: str = "2.25.1") -> None:
    """Sent and acknowledged, after the destination was found to hold the first."""
    ledger.note_was_there_before([f"{uid}.1"], [])
    ledger.begin_round()
    observe(ledger, EvidenceKind.SENT, instances, uid, sha256="ab" * 32)
    ledger.flush()
    observe(ledger, EvidenceKind.ACKNOWLEDGED, instances, uid, status_code="0x0000")
    ledger.flush()


def ask(ledger: Ledger, instances: int, uid: str = "2.25.1") -> None:
    """All are listed."""
    ledger.begin_round()
    observe(ledger, EvidenceKind.PRESENT, instances, uid)
    ledger.flush()


def open_one(instances: int = 3, uid: str = "2.25.1") -> Audit:
    """Links: opened (0), was there before (1), sent (2), acknowledged (3)."""
    audit = open_audit(study(instances, uid), at=DESTINATION, policy=Policy())
    send(Ledger(audit), instances, uid)
    return audit


def sealed_one(instances: int = 3, uid: str = "2.25.1") -> Audit:
    """The same, then present (4) and sealed (5)."""
    audit = open_one(instances, uid)
    ledger = Ledger(audit)
    ask(ledger, instances, uid)
    return ledger.close()


def asked_again(before: Audit, instances: int = 3, uid: str = "2.25.1") -> Audit:
    """A sealed audit that continues another: opened (0), present (1), sealed (2)."""
    ledger = Ledger(continue_audit(before, Policy()))
    ask(ledger, instances, uid)
    return ledger.close()
