"""Who reads a batch, and every change of its state: by compare-and-set, as for transfers."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from transfers import leases
from transfers.doorbell import ring_pages
from transfers.errors import TransferError
from transfers.leases import LEASE, is_abandoned
from transfers.models import Batch, Transfer
from transfers.states import BATCH_TRANSITIONS, HELD, BatchState, State

CANDIDATES = 20
"""Looked at when one is to be claimed: so many other workers may be first."""


class BatchHasMoved(TransferError):
    """This batch is not in the state that this needs: it was started, discarded, or is not read yet."""

    code = "batch_has_moved"


def move_batch(batch: Batch, to: BatchState, **changes: Any) -> None:
    """Change the state of a batch that nobody else changed since it was read, with other fields of it.

    `lease_until` of a batch that goes back into the queue: it is not taken up before.

    Raises BatchHasMoved.
    """
    before = BatchState(batch.state)
    if to not in BATCH_TRANSITIONS[before]:
        raise BatchHasMoved
    if to is not BatchState.READING:
        changes = {"lease_until": None, **changes, "worker": ""}
    if to is BatchState.STARTED:
        changes["started_at"] = timezone.now()
    changes["state"] = to
    if Batch.objects.filter(pk=batch.pk, state=before, worker=batch.worker).update(**changes) != 1:
        raise BatchHasMoved
    transaction.on_commit(ring_pages, robust=True)
    for name, value in changes.items():
        setattr(batch, name, value)


def claim_batch(batch: Batch, worker: str) -> None:
    """Take a batch that waits to be read, or whose reader is dead. Raises BatchHasMoved where another was first."""
    now = timezone.now()
    before = BatchState(batch.state)
    if before is not BatchState.QUEUED and not _is_left(batch):
        raise BatchHasMoved
    unchanged = Batch.objects.filter(pk=batch.pk, state=before, worker=batch.worker, lease_until=batch.lease_until)
    changes = {"state": BatchState.READING, "worker": worker, "lease_until": now + LEASE, "files_read": 0}
    if unchanged.update(**changes) != 1:
        raise BatchHasMoved
    transaction.on_commit(ring_pages, robust=True)
    batch.refresh_from_db()


def claim_next_batch(worker: str, besides: Collection[int] = ()) -> Batch | None:
    """Take the oldest batch that waits to be read, or that a worker left when it died; None where there is none.

    `besides`: ids of what this process is at already.
    """
    others = Batch.objects.exclude(pk__in=besides).order_by("pk")
    is_time = Q(lease_until__isnull=True) | Q(lease_until__lte=timezone.now())
    waiting = others.filter(is_time, state=BatchState.QUEUED)[:CANDIDATES]
    left = [batch for batch in others.filter(state=BatchState.READING) if _is_left(batch)]
    for batch in sorted([*waiting, *left], key=lambda each: each.pk):
        with suppress(BatchHasMoved):
            claim_batch(batch, worker)
            return batch
    return None


def settle_batches() -> int:
    """Call a batch a draft once nothing of it is left to be asked about; returns how many became one."""
    under_way = Transfer.objects.filter(batch=OuterRef("pk"), state__in=[State.QUEUED, *HELD])
    asked = Batch.objects.filter(state=BatchState.ASKING).exclude(Exists(under_way))
    settled = 0
    for batch in asked:
        with suppress(BatchHasMoved):  # another worker was first, or it was discarded
            move_batch(batch, BatchState.DRAFT)
            settled += 1
    return settled


def note_files_read(batch: Batch, files_read: int) -> None:
    """How far the reader is that holds the batch."""
    held = Batch.objects.filter(pk=batch.pk, worker=batch.worker, state=BatchState.READING)
    held.update(files_read=files_read)


class Lease(leases.Lease):
    """Keeps a claimed batch ours while the block runs; it is lost where somebody discards it, too."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(f"batch-{batch.pk}")
        self._held = Batch.objects.filter(pk=batch.pk, worker=batch.worker, state=BatchState.READING)

    def look(self) -> bool:
        return self._held.all().exists()

    def renew(self) -> bool:
        return self._held.all().update(lease_until=timezone.now() + LEASE) == 1


def _is_left(batch: Batch) -> bool:
    return batch.state == BatchState.READING and is_abandoned(batch.worker, batch.lease_until, timezone.now())
