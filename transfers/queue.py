"""Who holds a transfer: claim, lease, release; and every change of state. All by compare-and-set.

`filter(state=old).update(state=new) == 1`, or somebody else was first. No lock is held while the network is used.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from audit.escaping import without_nul
from transfers.models import Transfer, TransferEvent
from transfers.states import HELD, TERMINAL, TRANSITIONS, State

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
RENEWAL_SECONDS = 10.0


class TransferIsHeld(Exception):
    """Another process works on this transfer. Wait until it ends, or end it."""


def this_process() -> str:
    """The name under which this process holds transfers: host, process namespace, process id."""
    return f"{socket.gethostname()}/{_process_namespace()}/{os.getpid()}"


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
        changes |= {"finished_at": timezone.now(), "verdict": transfer.audit.verdict}
    with transaction.atomic():
        held = Transfer.objects.filter(pk=transfer.pk, state=before, worker=transfer.worker)
        if held.update(**changes) != 1:
            raise TransferIsHeld
        record_event(transfer, "state_changed", before=before, after=to, **detail)
    for name, value in changes.items():
        setattr(transfer, name, value)


def request_cancel(transfer: Transfer, by: str) -> None:
    """Have whoever holds the transfer end it; a second request changes nothing.

    Raises TransferIsHeld where the transfer is not any more as it was read.
    """
    if transfer.cancel_requested_at is not None:
        return
    now = timezone.now()
    unchanged = Transfer.objects.filter(pk=transfer.pk, worker=transfer.worker, cancel_requested_at__isnull=True)
    if unchanged.exclude(state__in=TERMINAL).update(cancel_requested_at=now) != 1:
        raise TransferIsHeld
    transfer.cancel_requested_at = now
    record_event(transfer, "cancel_requested", now, by=by)


def claim(transfer: Transfer, worker: str) -> None:
    """Take a transfer that nobody holds, or whose holder is dead.

    Raises TransferIsHeld where another process holds it or was first.
    """
    now = timezone.now()
    before = State(transfer.state)
    if before in HELD and not _is_abandoned(transfer, now):
        raise TransferIsHeld
    with transaction.atomic():
        unchanged = Transfer.objects.filter(pk=transfer.pk, state=before, worker=transfer.worker)
        changes = {"state": State.CLAIMED, "worker": worker, "lease_until": now + LEASE, "finished_at": None}
        if unchanged.update(**changes) != 1:
            raise TransferIsHeld
        record_event(transfer, "state_changed", now, before=before, after=State.CLAIMED)
    transfer.refresh_from_db()


def renew_lease(transfer_pk: int, worker: str) -> bool:
    """Whether this process still holds the transfer; if so, for another 30 s."""
    held = Transfer.objects.filter(pk=transfer_pk, worker=worker, state__in=HELD)
    return held.update(lease_until=timezone.now() + LEASE) == 1


class Lease:
    """Keeps a claimed transfer ours while the block runs, from a thread of its own; sets `stop` where it is lost."""

    def __init__(self, transfer: Transfer, stop: threading.Event) -> None:
        self._transfer_pk, self._worker = transfer.pk, transfer.worker
        self._stop = stop
        self._over = threading.Event()
        self._is_held = True
        self.is_lost = False
        self._thread = threading.Thread(target=self._keep, name=f"lease-{transfer.pk}", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        held_until = time.monotonic() + LEASE.total_seconds()
        try:
            while not self._over.wait(RENEWAL_SECONDS):
                renewed_at = time.monotonic()
                if self._renew():
                    held_until = renewed_at + LEASE.total_seconds()
                elif not self._is_held or time.monotonic() > held_until:
                    self.is_lost = True
                    self._stop.set()
                    return
        finally:
            connection.close()

    def _renew(self) -> bool:
        """A database that is away for a moment costs nothing: the lease outlives two failed renewals."""
        try:
            self._is_held = renew_lease(self._transfer_pk, self._worker)
        except DatabaseError:
            logger.warning("A lease could not be renewed", extra={"action": "lease_not_renewed"}, exc_info=True)
            connection.close()
            return False
        return self._is_held


def _is_abandoned(transfer: Transfer, now: datetime) -> bool:
    if transfer.lease_until is None or transfer.lease_until < now:
        return True
    host, _, rest = transfer.worker.partition("/")
    namespace, _, process_id = rest.partition("/")
    is_here = (host, namespace) == (socket.gethostname(), _process_namespace())
    return is_here and process_id.isdigit() and not _is_alive(int(process_id))


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_namespace() -> str:
    """Process ids of two containers with one host name must not be taken for each other."""
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return "-"
