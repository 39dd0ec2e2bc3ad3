"""What a cancelled transfer never came to: it was not sent, and says why."""

from __future__ import annotations

from django.utils import timezone

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from transfers.selection import uids_without_evidence

CANCELLED = {"code": "cancelled", "reason": "Cancelled before it was sent"}


def record_cancelled(ledger: Ledger) -> None:
    """In a round of its own, for everything of which nothing is known yet."""
    uids = uids_without_evidence(ledger.audit)
    if not uids:
        return
    ledger.begin_round()
    now = timezone.now()
    for uid in uids:
        ledger.record(Observation(uid, EvidenceKind.NOT_SENT, now, CANCELLED))
    ledger.flush()
