"""What a process that died while sending could not write down: that it may have sent what has no answer."""

from __future__ import annotations

from django.utils import timezone

from audit.ledger import Ledger
from audit.observations import EvidenceKind, Observation
from transfers.models import Transfer
from transfers.selection import uids_maybe_begun

_ENDED = {"code": "process_ended", "reason": "The process that sent ended before it could write down what it saw."}


def end_abandoned_attempts(transfer: Transfer, ledger: Ledger) -> None:
    """For whoever takes the transfer up, or ends it, before anything else is written."""
    attempts = transfer.attempts.order_by("round")
    abandoned = attempts.filter(ended_at__isnull=True)
    first = abandoned.first()
    if first is None:
        return
    earlier = attempts.filter(round__lt=first.round).values_list("round", flat=True)
    uids = uids_maybe_begun(transfer.audit, since=first.round, earlier=earlier)
    ledger.begin_round()
    now = timezone.now()
    for uid in uids:
        ledger.record(Observation(uid, EvidenceKind.NO_ANSWER, now, _ENDED))
    ledger.flush()
    abandoned.update(ended_at=now)
