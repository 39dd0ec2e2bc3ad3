"""C-STORE by us, over several associations side by side (PS3.4 B, PS3.7 9.1.1)."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock

from audit.entries import ManifestEntry
from audit.observations import Observation, Occurrence
from transfers.errors import TransferStopped
from transfers.methods.base import Preflight, SendContext
from transfers.methods.store_fleet import Fleet
from transfers.methods.store_journal import StoreJournal
from transfers.methods.store_queue import StoreQueue, encoding_of, plans_for
from transfers.methods.store_sender import Sender
from transfers.methods.store_session import Shop, why_not_accepted
from transfers.wire.association import Association
from transfers.wire.presentation_contexts import AssociationPlan, Encoding
from transfers.wire.stopping import interruption_by

LOOK_SECONDS = 0.05
"""How often what was seen is handed on: woken for each instance, the reader would take the senders' time."""
GRACE_SECONDS = 2.0
"""How long a stopped send waits for the answers that are under way."""


class CStore:
    """Every instance goes out in the transfer syntax that it is in, byte for byte."""

    key = "c-store"
    label = "C-STORE"
    kinds: tuple[str, ...] = ("dicom",)
    sources: tuple[str, ...] = ("files", "orthanc")
    sender_can_trust = "Every C-STORE was answered with success, where the destination answers only after saving."
    destination_may_trust_stable_study = False
    asks_commitment = False
    keeps_bytes = False

    @dataclass(frozen=True, slots=True)
    class Options:
        """What may be said for one transfer."""

        associations: int = field(
            default=0,
            metadata={
                "help": "how many associations side by side, in place of the destination's",
                "minimum": 1,
                "maximum": 32,
            },
        )

    def preflight(self, entries: Sequence[ManifestEntry], context: SendContext) -> Preflight:
        """Open the associations of the plan, one after another, and see what would not be accepted.

        Raises AssociationError where one of them cannot be opened, AssociationInterrupted soon after a stop.
        """
        reasons: dict[Encoding, str] = {}
        occurrences = []
        with interruption_by(context.stop) as interruption:
            for plan in plans_for(entries):
                with Association.open(context.dicom_endpoint, plan.contexts, interruption) as association:
                    reasons |= _refused_encodings(plan, association)
                    occurrences.append(_asked(association))
        unsendable = {
            entry.sop_instance_uid: reasons[encoding_of(entry)] for entry in entries if encoding_of(entry) in reasons
        }
        return Preflight(unsendable, occurrences=tuple(occurrences))

    def send(
        self, entries: Sequence[ManifestEntry], context: SendContext
    ) -> Generator[Observation | Occurrence | None, None, None]:
        """As Method promises. Closing the generator aborts the associations and ends the threads."""
        if not entries:
            return
        sending = _Sending(entries, context, self.Options(**context.options))
        try:
            sending.start()
            while sending.is_under_way():
                yield None
                yield from sending.journal.read()
            yield from sending.journal.read()
            sending.raise_error()
            sending.record_leftovers()
            yield from sending.journal.read()
        finally:
            sending.end()


class _Sending:
    """The threads of one send, and the thread that reads what they see."""

    def __init__(self, entries: Sequence[ManifestEntry], context: SendContext, options: CStore.Options) -> None:
        queue = StoreQueue(entries)
        self.journal = StoreJournal()
        self._fleet = Fleet(context.reconnect, queue)
        self._queue = queue
        self._stop = context.stop
        self._stopped_at: float | None = None
        self._lock = Lock()
        self._all_ended = Event()
        associations = options.associations or context.dicom_endpoint.associations
        count = max(1, min(associations, len(entries)))
        self._running = count
        shop = Shop(queue, self._fleet, self.journal, context.reconnect, context.source)
        self._senders = [Sender(shop, context.dicom_endpoint, self._one_ended) for _ in range(count)]

    def start(self) -> None:
        for sender in self._senders:
            sender.start()

    def is_under_way(self) -> bool:
        """Wait a moment; whether a sender still runs."""
        if self._all_ended.wait(LOOK_SECONDS):
            return False
        if self._stop.is_set():
            self._stop_in_time()
        return True

    def raise_error(self) -> None:
        """Raise an error of ours that a thread ended with."""
        for sender in self._senders:
            if sender.error is not None:
                raise sender.error

    def record_leftovers(self) -> None:
        """Say of everything that still waits why it was not sent."""
        reason = self._fleet.reason or TransferStopped()
        for task in self._queue.take_all():
            if task.losses:
                self.journal.no_answer(task, reason, will_be_sent_again=False)
            else:
                self.journal.not_sent(task, reason)

    def end(self) -> None:
        """End the threads at once, if they have not ended by themselves, and wait until they have."""
        if not self._all_ended.is_set():
            self._fleet.stop()
            self._interrupt()
        for sender in self._senders:
            if sender.ident is not None:
                sender.join()
            sender.interruption.close()

    def _stop_in_time(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._fleet.stop()
        elif time.monotonic() - self._stopped_at > GRACE_SECONDS:
            self._interrupt()

    def _interrupt(self) -> None:
        for sender in self._senders:
            sender.interrupt()

    def _one_ended(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._all_ended.set()


def _refused_encodings(plan: AssociationPlan, association: Association) -> dict[Encoding, str]:
    accepted = {(context.abstract_syntax, context.transfer_syntax) for context in association.accepted}
    return {
        encoding: why_not_accepted(encoding, association) for encoding in plan.encodings if encoding not in accepted
    }


def _asked(association: Association) -> Occurrence:
    detail = {
        "accepted_contexts": len(association.accepted),
        "rejected_contexts": len(association.rejected),
        "maximum_length": association.maximum_length,
    }
    return Occurrence("preflight_association", datetime.now(UTC), detail)
