"""Ends a transfer: judged and sealed, asked about again some day, and an alarm where what was there is gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from audit.judgements import StudyVerdict
from audit.ledger import Ledger
from audit.models import Audit
from transfers import queue
from transfers.models import Transfer
from transfers.states import Purpose

_LACKING = frozenset({StudyVerdict.PARTIAL, StudyVerdict.NOTHING_STORED})


@transaction.atomic
def end(transfer: Transfer, ledger: Ledger) -> None:
    """All of it or nothing. Raises TransferIsHeld where the transfer is not any more as this process left it."""
    ledger.close()
    queue.end(transfer)
    draw_conclusions(transfer, timezone.now())


def draw_conclusions(transfer: Transfer, now: datetime) -> None:
    """From the audit that was just sealed, within the same transaction."""
    chain = transfer.audit.chain()
    committed_at = next((each.sealed_at for each in reversed(chain) if each.verdict == StudyVerdict.COMMITTED), None)
    transfer.reverify_at = _next_day(transfer, committed_at, now)
    is_missing = _is_missing(transfer, chain)
    if is_missing and transfer.missing_since is None:
        transfer.missing_since = now
        queue.record_event(transfer, "missing_again", now)
    elif chain[0].verdict == StudyVerdict.COMMITTED:
        transfer.missing_since = None
    transfer.save(update_fields=["reverify_at", "missing_since"])


def _next_day(transfer: Transfer, committed_at: datetime | None, now: datetime) -> datetime | None:
    """Counted from when it was first committed, so that 1, 7 and 30 mean what they say."""
    if committed_at is None:
        return None
    due = (committed_at + timedelta(days=each) for each in transfer.destination.days_until_reverification)
    return next((each for each in due if each > now), None)


def _is_missing(transfer: Transfer, chain: list[Audit]) -> bool:
    """Whether the destination once had all of it and now lacks some, though nobody had it removed."""
    if transfer.purpose == Purpose.ROLL_BACK or StudyVerdict(chain[0].verdict) not in _LACKING:
        return False
    return any(each.verdict == StudyVerdict.COMMITTED for each in chain[1:])
