"""Runs one claimed transfer: preflight, send, verify, close."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.entries import ManifestEntry
from audit.ledger import AuditIsSealed, Ledger, entries_of
from audit.observations import EvidenceKind, Observation
from transfers import queue
from transfers.models import Attempt, Transfer
from transfers.preflight import preflight
from transfers.progress import Progress, Watcher, watch_nothing
from transfers.run import Run
from transfers.selection import uids_maybe_begun
from transfers.states import TRANSITIONS, State

logger = logging.getLogger(__name__)

PROGRESS_INSTANCES = 50
"""Told at least so often; what is done for every instance is taken from the senders' time."""
_ANSWERS = frozenset(
    {
        EvidenceKind.ACKNOWLEDGED,
        EvidenceKind.REFUSED,
        EvidenceKind.ANSWER_UNCLEAR,
        EvidenceKind.NO_ANSWER,
        EvidenceKind.NOT_SENT,
    }
)


def run_transfer(transfer: Transfer, *, stop: Event | None = None, watch: Watcher = watch_nothing) -> None:
    """Run a transfer that this process has claimed, until it is finished, interrupted or failed.

    `stop`, once set, ends it within seconds as `interrupted`, with everything observed so far saved.

    Raises TransferIsHeld where another process took it over meanwhile; any other exception is an error of ours,
    after which the transfer is `failed` and keeps what was observed.
    """
    stop = stop or Event()
    lease = queue.Lease(transfer, stop)
    try:
        with lease:
            _run(transfer, stop, watch)
    except (queue.TransferIsHeld, AuditIsSealed):
        if lease.is_lost:  # it stopped this run, not whatever the caller does next
            stop.clear()
        raise queue.TransferIsHeld from None
    except KeyboardInterrupt:
        if State.INTERRUPTED in TRANSITIONS[State(transfer.state)]:
            queue.move(transfer, State.INTERRUPTED)
        raise
    except DatabaseError:
        _fail(transfer)  # told to whoever runs it
        raise
    except Exception:
        logger.exception("A transfer failed by an error of ours", extra={"action": "transfer_failed"})
        _fail(transfer)
        raise


def _fail(transfer: Transfer) -> None:
    """A transfer that cannot even be moved stays held, and is taken over once this process has ended."""
    with suppress(DatabaseError, queue.TransferIsHeld):
        transfer.refresh_from_db(fields=["state", "worker"])
        if State.FAILED in TRANSITIONS[State(transfer.state)]:
            queue.move(transfer, State.FAILED)


def _run(transfer: Transfer, stop: Event, watch: Watcher) -> None:
    queue.move(transfer, State.PREPARING)
    instances = transfer.audit.instances.order_by("position").iterator()
    entries = tuple(entries_of(instances, transfer.study_instance_uid))
    run = Run(transfer, Ledger(transfer.audit), entries, stop, watch)
    try:
        _run_phases(run)
    except BaseException:
        # What was observed is kept if the database still takes it; the first error is the one to tell.
        with suppress(Exception):
            run.ledger.flush()
        raise


def _run_phases(run: Run) -> None:
    transfer, stop = run.transfer, run.stop
    end_abandoned_attempts(run)
    if transfer.sends:
        to_send = preflight(run)
        if to_send and not stop.is_set():
            send(run, to_send)
    if transfer.verify != "none" and not stop.is_set():
        verify(run)
    if stop.is_set():
        run.ledger.flush()
        queue.move(transfer, State.INTERRUPTED)
        return
    close(run)


def end_abandoned_attempts(run: Run) -> None:
    """Write down what a process that died while sending could not: that it may have sent what has no answer."""
    abandoned = run.transfer.attempts.filter(ended_at__isnull=True)
    if not abandoned.exists():
        return
    run.ledger.begin_round()
    now = timezone.now()
    detail = {"code": "process_ended", "reason": "The process that sent ended before it could write down what it saw."}
    for uid in uids_maybe_begun(run.transfer.audit):
        run.ledger.record(Observation(uid, EvidenceKind.NO_ANSWER, now, detail))
    run.ledger.flush()
    abandoned.update(ended_at=now)


def send(run: Run, entries: Sequence[ManifestEntry]) -> None:
    """One attempt: the method sends, and the ledger keeps what it yields, batch by batch."""
    queue.move(run.transfer, State.SENDING)
    sizes = {entry.sop_instance_uid: entry.data_set_size for entry in entries}
    total = sum(sizes.values())
    attempt = Attempt.objects.create(
        transfer=run.transfer,
        round=run.ledger.begin_round(),
        instances=len(entries),
        size_bytes=total,
        started_at=timezone.now(),
    )
    done = done_bytes = 0
    for seen in run.method.send(entries, run.send_context):
        if isinstance(seen, Observation):
            run.ledger.record(seen)
            if seen.kind in _ANSWERS and not seen.detail.get("will_be_sent_again"):
                done += 1
                done_bytes += sizes[seen.sop_instance_uid]
        elif seen is not None:
            run.record(seen)
        if seen is None or done % PROGRESS_INSTANCES == 0:
            run.ledger.flush_if_due()
            run.watch(Progress(State.SENDING, len(entries), done, total, done_bytes))
    run.ledger.flush()
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now())


def verify(run: Run) -> None:
    """Ask the destination about every instance of the manifest, over an association of its own."""
    queue.move(run.transfer, State.VERIFYING)
    run.ledger.begin_round()
    done = 0
    for seen in run.probe.verify(run.entries, run.probe_context):
        if isinstance(seen, Observation):
            run.ledger.record(seen)
            done += 1
        elif seen is not None:
            run.record(seen)
        run.ledger.flush_if_due()
        run.watch(Progress(State.VERIFYING, len(run.entries), done))
    run.ledger.flush()


def close(run: Run) -> None:
    """Judge, seal and finish, all of it or nothing, and only while this process holds the transfer."""
    with transaction.atomic():
        run.ledger.close()
        queue.move(run.transfer, State.FINISHED)
