"""Who reads a batch, and every change of its state: by compare-and-set, as for transfers."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from transfers.errors import TransferError
from transfers.models import Batch
from transfers.states import BATCH_TRANSITIONS, BatchState


class BatchHasMoved(TransferError):
    """This batch is not in the state that this needs: it was started, discarded, or is not read yet."""

    code = "batch_has_moved"


def move_batch(batch: Batch, to: BatchState, **changes: Any) -> None:
    """Change the state of a batch that nobody else changed since it was read, with other fields of it.

    Raises BatchHasMoved.
    """
    before = BatchState(batch.state)
    if to not in BATCH_TRANSITIONS[before]:
        raise BatchHasMoved
    if to is not BatchState.READING:
        changes |= {"worker": "", "lease_until": None}
    if to is BatchState.STARTED:
        changes["started_at"] = timezone.now()
    changes["state"] = to
    if Batch.objects.filter(pk=batch.pk, state=before, worker=batch.worker).update(**changes) != 1:
        raise BatchHasMoved
    for name, value in changes.items():
        setattr(batch, name, value)
