"""Who holds a transfer: claim, lease, release; and every change of state. All by compare-and-set.

`filter(state=old).update(state=new) == 1`, or somebody else was first. No lock is held while the network is used.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit.escaping import without_nul
from audit.models import Audit
from transfers import leases
from transfers.doorbell import ring_pages
from transfers.leases import LEASE, is_abandoned, this_process
from transfers.models import Transfer, TransferEvent
from transfers.states import HELD, TERMINAL, TRANSITIONS, State

__all__ = [
    "LEASE",
    "Lease",
    "TransferIsHeld",
    "claim",
    "claim_next",
    "end",
    "leave_as_draft",
    "move",
    "record_event",
    "release_abandoned",
    "renew_lease",
    "request_cancel",
    "this_process",
]

CANDIDATES = 20
"""Looked at when one is to be claimed: so many other workers may be first."""


class TransferIsHeld(Exception):
    """Another process works on this transfer. Wait until it ends, or end it."""


def record_event(transfer: Transfer, name: str, at: datetime | None = None, **detail: Any) -> None:
    """Write down something that happened to a transfer."""
    Transfer.objects.filter(pk=transfer.pk).update(revision=F("revision") + 1)
    TransferEvent.objects.create(transfer=transfer, name=name, at=at or timezone.now(), detail=without_nul(detail))


def move(transfer: Transfer, to: State, **detail: Any) -> None:
    """Change the state of a transfer that this process holds, with its event.

    Raises TransferIsHeld where the transfer is not any more as this process left it.
    """
    before = State(transfer.state)
    if to not in TRANSITIONS[before]:
        raise ValueError(f"A transfer cannot go from {before} to {to}.")
    changes: dict[str, Any] = {"state": to}
    if to not in HELD:
        changes |= {"worker": "", "lease_until": None}
    if to in TERMINAL:
        changes |= {"finished_at": timezone.now()}
    with transaction.atomic():
        if to in TERMINAL:  # as it is stored: what this process made of it may not have come to that
            changes |= {"verdict": Audit.objects.values_list("verdict", flat=True).get(pk=transfer.audit_id)}
        held = Transfer.objects.filter(pk=transfer.pk, state=before, worker=transfer.worker)
        if held.update(**changes) != 1:
            raise TransferIsHeld
        record_event(transfer, "state_changed", before=before, after=to, **detail)
        transaction.on_commit(ring_pages, robust=True)
    for name, value in changes.items():
        setattr(transfer, name, value)


def end(transfer: Transfer) -> None:
    """Everything is done and judged: finished, or cancelled where somebody asked for that, be it in this moment.

    Raises TransferIsHeld where the transfer is not any more as this process left it.
    """
    with transaction.atomic():
        move(transfer, State.CANCELLED if _is_to_end(transfer) else State.FINISHED)


def leave_as_draft(transfer: Transfer, findings: dict[str, Any]) -> bool:
    """Write down what was found before the first byte, and wait; False, and nothing is done, where it is cancelled.

    Raises TransferIsHeld where the transfer is not any more as this process left it.
    """
    with transaction.atomic():
        if _is_to_end(transfer):
            return False
        Transfer.objects.filter(pk=transfer.pk).update(findings=findings)
        move(transfer, State.DRAFT)
    transfer.findings = findings
    return True


def _is_to_end(transfer: Transfer) -> bool:
    """Whether somebody asked for its end; until the end of the transaction nobody can any more."""
    now = Transfer.objects.select_for_update().get(pk=transfer.pk)
    transfer.cancel_requested_at = now.cancel_requested_at
    return transfer.cancel_requested_at is not None


def request_cancel(transfer: Transfer, by: str) -> None:
    """Have whoever holds the transfer end it; a second request changes nothing.

    Raises TransferIsHeld where the transfer is not any more as it was read.
    """
    if transfer.cancel_requested_at is not None:
        return
    now = timezone.now()
    unchanged = Transfer.objects.filter(pk=transfer.pk, worker=transfer.worker, cancel_requested_at__isnull=True)
    with transaction.atomic():
        if unchanged.exclude(state__in=TERMINAL).update(cancel_requested_at=now) != 1:
            raise TransferIsHeld
        record_event(transfer, "cancel_requested", now, by=by)
        transaction.on_commit(ring_pages, robust=True)
    transfer.cancel_requested_at = now


def claim(transfer: Transfer, worker: str) -> None:
    """Take a transfer that nobody holds, or whose holder is dead.

    Raises TransferIsHeld where another process holds it or was first.
    """
    now = timezone.now()
    before = State(transfer.state)
    if before in HELD and not is_abandoned(transfer.worker, transfer.lease_until, now):
        raise TransferIsHeld
    with transaction.atomic():
        changes = {"state": State.CLAIMED, "worker": worker, "lease_until": now + LEASE, "finished_at": None}
        if Transfer.objects.filter(**_as_read(transfer)).update(**changes) != 1:
            raise TransferIsHeld
        record_event(transfer, "state_changed", now, before=before, after=State.CLAIMED)
        transaction.on_commit(ring_pages, robust=True)
    transfer.refresh_from_db()


def claim_next(worker: str, besides: Collection[int] = ()) -> Transfer | None:
    """Take the oldest transfer that waits for a worker, or that one left when it died; None where there is none.

    `besides`: ids of what this process is at already.
    """
    background = Transfer.objects.filter(is_in_background=True).exclude(pk__in=besides).order_by("pk")
    waiting = background.filter(state=State.QUEUED)[:CANDIDATES]
    for transfer in sorted([*waiting, *_abandoned(background)], key=lambda each: each.pk):
        with suppress(TransferIsHeld):
            claim(transfer, worker)
            return transfer
    return None


def release_abandoned() -> int:
    """Call interrupted what a command left when it was killed, so that it does not look alive; returns how many.

    No worker takes these over: the same command continues them.
    """
    released = 0
    for transfer in _abandoned(Transfer.objects.filter(is_in_background=False)):
        with suppress(TransferIsHeld), transaction.atomic():
            # Who says again that it is alive, in this moment, is left alone.
            if not Transfer.objects.select_for_update().filter(**_as_read(transfer)).exists():
                raise TransferIsHeld
            move(transfer, State.INTERRUPTED, reason="process_ended")
            released += 1
    return released


def _abandoned(transfers: QuerySet[Transfer]) -> list[Transfer]:
    now = timezone.now()
    held = transfers.filter(state__in=HELD)
    return [transfer for transfer in held if is_abandoned(transfer.worker, transfer.lease_until, now)]


def _as_read(transfer: Transfer) -> dict[str, Any]:
    """Finds the row only while nobody changed who holds it, or held it for longer."""
    names = ("pk", "state", "worker", "lease_until")
    return {name: getattr(transfer, name) for name in names}


def renew_lease(transfer_pk: int, worker: str) -> bool:
    """Whether this process still holds the transfer; if so, for another 30 s."""
    held = Transfer.objects.filter(pk=transfer_pk, worker=worker, state__in=HELD)
    return held.update(lease_until=timezone.now() + LEASE) == 1


class Lease(leases.Lease):
    """Keeps a claimed transfer ours while the block runs, and sets `cancelled` where somebody asks for its end."""

    def __init__(self, transfer: Transfer) -> None:
        super().__init__(f"transfer-{transfer.pk}")
        self._pk, self._worker = transfer.pk, transfer.worker
        self.cancelled = threading.Event()
        if transfer.cancel_requested_at is not None:
            self.cancelled.set()

    def look(self) -> bool:
        """A row that is not there is not committed yet: transfers are never deleted."""
        found = Transfer.objects.filter(pk=self._pk).values_list("worker", "state", "cancel_requested_at").first()
        if found is None:
            return True
        worker, state, cancel_requested_at = found
        if cancel_requested_at is not None:
            self.cancelled.set()
        return worker == self._worker and state in HELD

    def renew(self) -> bool:
        return renew_lease(self._pk, self._worker) and self.look()
