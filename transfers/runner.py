"""Runs one claimed transfer: preflight, send, verify, close."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.entries import ManifestEntry
from audit.ledger import AuditIsSealed, Ledger, entries_of
from audit.observations import EvidenceKind, Observation
from transfers import changes, commitments, ending, growth, queue
from transfers.abandoned import end_abandoned_attempts
from transfers.cancelling import CANCELLED, record_cancelled
from transfers.commitment_requests import ask_to_commit
from transfers.errors import UNANSWERED, TransferStopped
from transfers.leases import is_lost_connection
from transfers.methods.base import Checkpoint
from transfers.models import Attempt, Transfer
from transfers.passwords import PasswordUnreadable
from transfers.preflight import find, preflight
from transfers.progress import Progress, Watcher, watch_nothing
from transfers.read_back import compare, compare_what_was_sent_over
from transfers.rolling_back import is_known_to_be_incomplete, roll_back
from transfers.run import Run, Side
from transfers.states import HELD, TRANSITIONS, Purpose, State
from transfers.stopping import AnyOf

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
        EvidenceKind.JOB_SUCCEEDED,
        EvidenceKind.JOB_FAILED,
    }
)


def run_transfer(
    transfer: Transfer,
    *,
    stop: Event | None = None,
    watch: Watcher = watch_nothing,
    halted_as: State = State.INTERRUPTED,
) -> None:
    """Run a transfer that this process has claimed, until it has ended, waits as a draft, or is let go of.

    It fails, with nothing sent, where its destination was pointed to another archive since its audit was opened.
    `stop`, once set, ends it within seconds as `halted_as`, with everything observed so far saved: interrupted, for
    whoever gave the command to give it again, or queued, for another worker.

    Raises TransferIsHeld where another process took it over meanwhile; any other exception is an error of ours,
    after which the transfer is `failed` and keeps what was observed. Where only the connection to the database was lost
    it is let go of as if it had been stopped.
    """
    lease, worker = queue.Lease(transfer), transfer.worker
    halt = AnyOf(lease.lost, *([stop] if stop else []))
    try:
        with lease:
            _run(transfer, halt, lease.cancelled, watch, halted_as)
    except (queue.TransferIsHeld, AuditIsSealed):
        raise queue.TransferIsHeld from None
    except KeyboardInterrupt:
        if State.INTERRUPTED in TRANSITIONS[State(transfer.state)]:
            queue.move(transfer, State.INTERRUPTED)
        raise
    except DatabaseError as error:  # told to whoever runs it
        _let_go(transfer, worker, halted_as if is_lost_connection(error) else State.FAILED)
        raise
    except Exception:
        logger.exception("A transfer failed by an error of ours", extra={"action": "transfer_failed"})
        _let_go(transfer, worker, State.FAILED)
        raise


def _let_go(transfer: Transfer, worker: str, to: State) -> None:
    """A transfer that cannot even be moved stays held, and is taken over once its lease has run out."""
    with suppress(DatabaseError, queue.TransferIsHeld):
        transfer.refresh_from_db(fields=["state"])  # what it came to may have been undone
        transfer.worker = worker
        if to in TRANSITIONS[State(transfer.state)]:
            queue.move(transfer, to)


def _run(transfer: Transfer, halt: Event, cancelled: Event, watch: Watcher, halted_as: State) -> None:
    if transfer.audit.destination_address != transfer.destination.address:
        # What one archive was told, and asked, proves nothing of another.
        queue.move(transfer, State.FAILED, reason="destination_moved")
        return
    queue.move(transfer, State.PREPARING)
    instances = transfer.audit.instances.order_by("position").iterator()
    entries = tuple(entries_of(instances, transfer.study_instance_uid))
    run = Run(transfer, Ledger(transfer.audit), entries, halt, cancelled, watch)
    try:
        # Made now, so that nothing is begun where one of them cannot be spoken to, or read.
        run.sides  # noqa: B018
        if Purpose(transfer.purpose) is Purpose.SEND:
            run.source  # noqa: B018
    except PasswordUnreadable:
        queue.move(transfer, State.FAILED, reason="password_unreadable")
        return
    try:
        if transfer.sends:
            _run_watched(run)
        else:
            _run_phases(run)
        if halt.is_set() and State(transfer.state) in HELD:
            run.ledger.flush()
            queue.move(transfer, halted_as)
    except BaseException:
        # What was observed is kept if the database still takes it; the first error is the one to tell.
        with suppress(Exception):
            run.ledger.flush()
        raise


def _run_watched(run: Run) -> None:
    """While it sends, what the archive makes of what has arrived so far is seen, too."""
    tell = run.watch
    uids = frozenset(entry.sop_instance_uid for entry in run.entries)

    def watch(progress: Progress) -> None:
        for occurrence in take_news():
            run.record(occurrence)
        tell(progress)

    with changes.watched(run.transfer, uids) as take_news:
        run.watch = watch
        _run_phases(run)


def _run_phases(run: Run) -> None:
    transfer, purpose = run.transfer, Purpose(run.transfer.purpose)
    end_abandoned_attempts(transfer, run.ledger)
    if purpose is Purpose.SEND and not run.stop.is_set():
        if transfer.stops_before_sending:
            ask(run)
        else:
            send_what_is_to_be_sent(run)
    if State(transfer.state) is State.DRAFT or run.halt.is_set():
        return
    if purpose is Purpose.SEND and run.cancelled.is_set():
        record_cancelled(run.ledger)
    is_all_or_nothing = purpose is Purpose.SEND and transfer.rolls_back
    if purpose is not Purpose.ROLL_BACK:
        ask_what_arrived(run)
    if purpose is Purpose.ROLL_BACK or (is_all_or_nothing and is_known_to_be_incomplete(run)):
        remove_again(run)
    if purpose is Purpose.SEND and not run.stop.is_set():
        growth.ask_source_again(transfer, run.stop)
    if not run.halt.is_set():
        close(run)


def ask(run: Run) -> None:
    """Find out what would happen, and wait for somebody to start it; unless it is stopped meanwhile."""
    findings = find(run)
    if not run.stop.is_set() and not queue.leave_as_draft(run.transfer, findings):
        run.cancelled.set()


def send_what_is_to_be_sent(run: Run) -> None:
    to_send = preflight(run)
    if to_send and not run.stop.is_set():
        send(run, to_send)


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
    checkpoints: list[Checkpoint] = []
    for seen in run.method.send(entries, run.send_context):
        if isinstance(seen, Observation):
            run.ledger.record(_explained(run, seen))
            if seen.kind in _ANSWERS and not seen.detail.get("will_be_sent_again"):
                done += 1
                done_bytes += sizes[seen.sop_instance_uid]
        elif isinstance(seen, Checkpoint):
            run.ledger.flush()
            checkpoints.append(seen)
            Attempt.objects.filter(pk=attempt.pk).update(checkpoints=_saved(checkpoints))
        elif seen is not None:
            run.record(seen)
        if seen is None or done % PROGRESS_INSTANCES == 0:
            run.ledger.flush_if_due()
            run.watch(Progress(State.SENDING, len(entries), done, total, done_bytes))
    run.ledger.flush()
    outliving = _saved(each for each in checkpoints if each.outlives_send)
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now(), checkpoints=outliving)
    # The method has dealt with those of earlier attempts, too.
    run.transfer.attempts.exclude(pk=attempt.pk).update(checkpoints=[])


def _saved(checkpoints: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """As `checkpoints_of` reads them."""
    return [{"kind": each.kind, "handle": dict(each.handle)} for each in checkpoints]


def _explained(run: Run, seen: Observation) -> Observation:
    """What was not sent for a cancel says so, and not that the same send continues it."""
    is_stopped = seen.kind is EvidenceKind.NOT_SENT and seen.detail.get("code") == TransferStopped.code
    if is_stopped and run.cancelled.is_set() and not run.halt.is_set():
        return replace(seen, detail=CANCELLED)
    return seen


def ask_what_arrived(run: Run) -> None:
    """In every way that was chosen: commitment first, since its report may take a while."""
    transfer = run.transfer
    if transfer.asks_commitment and run.may_have_sent and not run.halt.is_set():
        ask_to_commit(run)
    if transfer.verification.asks and not run.halt.is_set():
        verify(run)
    if transfer.verification.compares_content and run.may_have_sent and not run.halt.is_set():
        compare(run)
    if transfer.verification.asks and not run.halt.is_set():
        compare_what_was_sent_over(run)


def remove_again(run: Run) -> None:
    """Then the destination is asked whether it is gone: that alone decides."""
    if not run.halt.is_set():
        roll_back(run)
    if not run.halt.is_set():
        verify(run)


def verify(run: Run) -> None:
    """Ask the destination about every instance of the manifest, over an association or session of its own.

    Whatever one side of the archive could not be asked about is asked of the next.
    """
    queue.move(run.transfer, State.VERIFYING)
    entries = run.entries
    under_way = run.under_way()  # looked at before anything is listed: what has ended by now is to be listed by then
    for side in run.sides:
        run.ledger.begin_round()
        unanswered = _ask_one_side(run, side, entries, under_way)
        entries = tuple(entry for entry in entries if entry.sop_instance_uid in unanswered)
        if not entries or run.halt.is_set():
            break
    run.ledger.flush()


def _ask_one_side(run: Run, side: Side, entries: Sequence[ManifestEntry], under_way: frozenset[str]) -> set[str]:
    """Returns the SOP Instance UIDs about which it could not be asked."""
    unanswered = set()
    done = len(run.entries) - len(entries)
    context = replace(run.probe_context(side, run.halt), under_way=under_way)
    for seen in side.probe.verify(entries, context):
        if isinstance(seen, Observation):
            run.ledger.record(seen)
            if seen.kind is EvidenceKind.PROBE_FAILED and seen.detail.get("code") in UNANSWERED:
                unanswered.add(seen.sop_instance_uid)
            done += 1
        elif seen is not None:
            run.record(seen)
        run.ledger.flush_if_due()
        run.watch(Progress(State.VERIFYING, len(run.entries), done))
    return unanswered


def close(run: Run) -> None:
    """Judge, seal and end, all of it or nothing, and only while this process holds the transfer.

    Where a report of storage commitment may still come in time, it is let go of instead, and waits for that.
    """
    run.ledger.flush()
    try:
        _end_or_wait(run)
    except BaseException:
        run.ledger.forget()  # of the reports, which are not weighed then
        raise


def _end_or_wait(run: Run) -> None:
    with transaction.atomic():
        # Who keeps a report now, or cancels, waits, and sees the end.
        now = Transfer.objects.select_for_update().get(pk=run.transfer.pk)
        commitments.weigh_with(run.ledger, run.transfer, timezone.now())
        if commitments.is_awaited(run.transfer) and now.cancel_requested_at is None:
            queue.move(run.transfer, State.AWAITING_COMMITMENT)
            return
        ending.end(run.transfer, run.ledger)
