"""One association's working life: instances taken from the queue, sent and answered, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from transfers.errors import (
    AssociationError,
    AssociationInterrupted,
    NoPresentationContext,
    SourceError,
)
from transfers.methods.base import ReconnectPolicy
from transfers.methods.store_fleet import Fleet
from transfers.methods.store_journal import StoreJournal
from transfers.methods.store_queue import StoreQueue, encoding_of
from transfers.methods.task import SendTask
from transfers.sources.base import InstanceReaders, InstanceSource
from transfers.wire.association import Association
from transfers.wire.presentation_contexts import Encoding
from transfers.wire.store import LoadedInstance, Outgoing, StoreChannel

NOT_WRITTEN = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shop:
    """What the senders of one send share."""

    queue: StoreQueue
    fleet: Fleet
    journal: StoreJournal
    policy: ReconnectPolicy
    source: InstanceSource
    """Where the instances are read."""


@dataclass(slots=True)
class _Shipment:
    """A task whose instance is loaded, and how far it is."""

    task: SendTask
    instance: LoadedInstance
    context_id: int
    written_at: datetime = NOT_WRITTEN


class StoreSession:
    """Sends what the queue holds of one plan over one association, until nothing is left or the fleet is over.

    While the destination works on one instance, the next is loaded. What could not be finished is put back into
    the queue, or set aside once the policy says that it cost enough associations.
    """

    def __init__(self, shop: Shop, association: Association, number: int, plan: int, readers: InstanceReaders) -> None:
        self._shop = shop
        self._association = association
        self._channel = StoreChannel(association)
        self._number = number
        self._plan = plan
        self._readers = readers
        self._context_ids = {
            Encoding(context.abstract_syntax, context.transfer_syntax): context.context_id
            for context in association.accepted
        }
        self._current: _Shipment | None = None
        self._next: _Shipment | None = None
        self.answers = 0

    def run(self) -> None:
        """Raises AssociationError where the association is lost, SourceError where it must be aborted for a file."""
        try:
            with self._channel:
                self._run()
        except AssociationError as error:
            if self._current is not None:
                self._put_back_unfinished(self._current, error)
            raise
        finally:
            self._leave()

    def _run(self) -> None:
        self._next = self._load()
        while self._next and not self._shop.fleet.is_over:
            self._current, self._next = self._next, None
            self._send(self._current)
            self._next = self._load()
            self._receive(self._current)
            self._current = None

    def _load(self) -> _Shipment | None:
        shop = self._shop
        while not shop.fleet.is_over:
            task = shop.queue.take(self._plan)
            if task is None:
                shop.fleet.nothing_waits()
                return None
            shipment = self._loaded(task)
            if shipment is not None:
                return shipment
        return None

    def _loaded(self, task: SendTask) -> _Shipment | None:
        """The task with its instance in a buffer; None, with the reason in the journal, where it cannot be sent."""
        entry = task.entry
        context_id = self._context_ids.get(encoding_of(entry))
        if context_id is None:
            self._shop.journal.not_sent(
                task, NoPresentationContext(why_not_accepted(encoding_of(entry), self._association))
            )
            return None
        try:
            reader = self._readers.open(entry)
            outgoing = Outgoing(entry.sop_class_uid, entry.sop_instance_uid, reader.size)
            instance = self._channel.load(outgoing, reader)
        except SourceError as error:
            self._shop.journal.not_sent(task, error)
            return None
        return _Shipment(task, instance, context_id)

    def _send(self, shipment: _Shipment) -> None:
        journal = self._shop.journal
        while not journal.has_room() and not self._shop.fleet.is_over:
            journal.wait_for_room()
        try:
            self._channel.send(shipment.instance, shipment.context_id)
        except SourceError as error:
            journal.not_sent(shipment.task, error)
            raise
        shipment.written_at = datetime.now(UTC)
        syntax = shipment.task.entry.transfer_syntax_uid
        journal.sent(shipment.instance, syntax, self._number, shipment.written_at)

    def _receive(self, shipment: _Shipment) -> None:
        response = self._channel.receive_response(shipment.instance)
        self._shop.journal.answered(response, shipment.task.entry.sop_instance_uid, self._number, shipment.written_at)
        self._shop.fleet.answered()
        self.answers += 1

    def _leave(self) -> None:
        if self._current is not None:
            self._current.instance.close()
        if self._next is not None:
            self._next.instance.close()
            self._shop.queue.give_back(self._next.task)

    def _put_back_unfinished(self, shipment: _Shipment, error: AssociationError) -> None:
        task, shop = shipment.task, self._shop
        if isinstance(error, AssociationInterrupted) and shipment.written_at is NOT_WRITTEN:
            shop.queue.give_back(task)
            return
        task.losses += 1
        again = task.losses < shop.policy.losses_per_instance and not shop.fleet.is_over
        shop.journal.no_answer(task, error, will_be_sent_again=again)
        if again:
            shop.queue.put_last(task)


def why_not_accepted(encoding: Encoding, association: Association) -> str:
    """Return, for people, why instances of this encoding cannot go over the association."""
    reason = next(
        (
            rejected.reason
            for rejected in association.rejected
            if (rejected.abstract_syntax, rejected.transfer_syntaxes) == (encoding[0], (encoding[1],))
        ),
        "the destination did not accept it",
    )
    return f"{encoding} is not accepted by the destination: {reason}. Enable it there, or send without these instances."
