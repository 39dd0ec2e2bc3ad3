"""Delivers everything of one send: parcel after parcel, each in one transaction, and what is lost in another."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from threading import Event, Thread

from audit.entries import ManifestEntry
from transfers.endpoints import OrthancEndpoint
from transfers.errors import RequestError, ResourceNotFound, SourceError, TransferError, TransferStopped
from transfers.methods.base import Checkpoint, SendContext, uids_of
from transfers.methods.push_crew import side_by_side
from transfers.methods.push_halting import Halting
from transfers.methods.push_journal import PushJournal
from transfers.methods.push_task import PushTask, parcels_of
from transfers.methods.push_transaction import (
    CHECKPOINT,
    DISCARD_SECONDS,
    Course,
    Outcome,
    Push,
    Terms,
    seconds_to_discard,
)
from transfers.sources.base import InstanceReaders
from transfers.wire.accelerator import Compression, Transaction
from transfers.wire.http import HttpSession

_LAST_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be chosen for one send."""

    threads: int
    compression: Compression
    commit_seconds: float
    parcel_bytes: int
    """How much one transaction holds at most; 0: everything."""


class Delivery(Thread):
    """Ends by itself, with something final in the journal of every entry."""

    def __init__(
        self, entries: Sequence[ManifestEntry], context: SendContext, wishes: Wishes, halting: Halting
    ) -> None:
        super().__init__(name="accelerator-delivery", daemon=True)
        self.journal = PushJournal(context.missing)
        self.ended = Event()
        self.error: BaseException | None = None
        """An error of ours, never the destination's."""
        self._context = context
        self._wishes = wishes
        self._halting = halting
        self._waiting = deque(parcels_of(map(PushTask, entries), wishes.parcel_bytes))
        self._transactions = 0

    def run(self) -> None:
        try:
            self._deliver_everything()
        except BaseException as error:  # noqa: BLE001  # handed to the thread that reads the journal
            self.error = error
        finally:
            self.ended.set()

    def _deliver_everything(self) -> None:
        reason: TransferError | None = None
        try:
            with ExitStack() as opened:
                terms = self._terms(opened)
                self._discard_what_was_left(terms)
                while self._waiting and reason is None:
                    reason = _Parcel(self, terms, self._waiting.popleft()).deliver()
        except RequestError as error:  # of the TLS settings
            reason = error
        for parcel in self._waiting:
            for task in parcel:
                self.journal.not_sent(task, reason or TransferStopped())

    def next_number(self) -> int:
        """Of the next transaction, from 1."""
        self._transactions += 1
        return self._transactions

    def _terms(self, opened: ExitStack) -> Terms:
        wishes = self._wishes
        threads = wishes.threads or self._context.orthanc_endpoint.connections
        endpoint = replace(self._context.orthanc_endpoint, connections=threads)
        return Terms(
            source=self._context.source,
            policy=self._context.reconnect,
            journal=self.journal,
            halting=self._halting,
            session=opened.enter_context(HttpSession(endpoint, self._halting.cut)),
            patient_session=opened.enter_context(
                HttpSession(_answering_within(endpoint, wishes.commit_seconds), self._halting.cut)
            ),
            last_session=opened.enter_context(HttpSession(endpoint.hurried(connect_seconds=_LAST_CONNECT_SECONDS))),
            threads=threads,
            compression=wishes.compression,
            commit_seconds=wishes.commit_seconds,
            sender_transfer_id=str(uuid.uuid4()),
        )

    def _discard_what_was_left(self, terms: Terms) -> None:
        """By a process that did not live to do so; unless the receiver has long forgotten it."""
        for checkpoint in _left(self._context):
            transaction = _transaction_of(checkpoint, terms.sender_transfer_id)
            if not _is_over(terms.last_session, transaction, seconds_to_discard(terms)):
                self.journal.save(replace(checkpoint, outlives_send=True))


class _Parcel:
    """Tasks that go in one transaction; those that a transaction lost, in one more."""

    def __init__(self, delivery: Delivery, terms: Terms, tasks: Sequence[PushTask]) -> None:
        self._delivery = delivery
        self._terms = terms
        self._tasks = list(tasks)
        self._restarts = 0

    def deliver(self) -> TransferError | None:
        """Why nothing more can be delivered; None where the next parcel may be."""
        while self._tasks:
            if self._terms.halting.stopping.is_set():
                return self._end(TransferStopped())
            self._examine()
            if not self._tasks or self._terms.halting.stopping.is_set():
                continue
            outcome = Push(self._terms, self._tasks, self._delivery.next_number()).run()
            if (reason := self._after(outcome)) is not None:
                return reason
        return None

    def _after(self, outcome: Outcome) -> TransferError | None:
        """What follows: the tasks that are left go into another transaction, unless a reason is returned."""
        self._tasks = [task for task in self._tasks if task not in outcome.spoiled]
        reason = outcome.reason or TransferStopped()
        if outcome.course is Course.COMMITTED:
            self._tasks = []
            return None
        if outcome.course is Course.UNKNOWN:
            return self._after_lost_commit(reason)
        may_start_again = outcome.course in {Course.GONE, Course.SPOILED}
        if may_start_again and self._begins_again(wait=outcome.course is Course.GONE):
            return None
        return self._end(reason, is_known=outcome.course is not Course.LEFT)

    def _after_lost_commit(self, reason: TransferError) -> TransferError | None:
        """What the destination does not list goes into another transaction; what became of the rest it will say."""
        for task in self._tasks:
            task.losses += 1
        journal, stopping = self._terms.journal, self._terms.halting.stopping
        again = journal.missing(self._tasks) if self._may_commit_again(reason) else []
        if stopping.is_set():
            again = []
        keys = {task.key for task in again}
        for task in self._tasks:
            journal.no_answer(task, reason, will_be_sent_again=task.key in keys)
        self._tasks = again
        return TransferStopped() if stopping.is_set() else None

    def _may_commit_again(self, reason: TransferError) -> bool:
        if max(task.losses for task in self._tasks) >= self._terms.policy.losses_per_instance:
            return False
        return (reason.retriable or isinstance(reason, ResourceNotFound)) and self._begins_again(wait=True)

    def _begins_again(self, *, wait: bool) -> bool:
        """Whether another transaction may be begun, after the policy's wait."""
        self._restarts += 1
        policy, stopping = self._terms.policy, self._terms.halting.stopping
        if self._restarts >= policy.attempts:
            return False
        return not stopping.wait(policy.wait_seconds(self._restarts) if wait else 0.0)

    def _end(self, reason: TransferError, *, is_known: bool = True) -> TransferError:
        """Tell of what is left: that it was not sent, or where that is not known that there was no answer."""
        journal = self._terms.journal
        for task in self._tasks:
            if task.losses or not is_known:
                journal.no_answer(task, reason, will_be_sent_again=False)
            else:
                journal.not_sent(task, reason)
        self._tasks = []
        return reason

    def _examine(self) -> None:
        """Take the MD5 of what has none, and leave out what cannot be read."""
        examination = _Examination(self._terms, self._tasks, is_repeated=self._restarts > 0)
        side_by_side(min(self._terms.threads, len(self._tasks)), examination.work)
        self._tasks = [task for task in self._tasks if task.key not in examination.unreadable]


class _Examination:
    def __init__(self, terms: Terms, tasks: Sequence[PushTask], *, is_repeated: bool) -> None:
        self._terms = terms
        self._tasks = deque(tasks)
        self._looks_again = is_repeated and terms.source.kind == "files"
        self.unreadable: set[str] = set()
        """Keys of tasks; these were told of."""

    def work(self) -> None:
        stopping = self._terms.halting.stopping
        with suppress(TransferStopped), self._terms.source.readers(stopping) as readers:
            while not stopping.is_set() and (task := self._next()) is not None:
                self._examine(task, readers)

    def _next(self) -> PushTask | None:
        try:
            return self._tasks.popleft()
        except IndexError:
            return None

    def _examine(self, task: PushTask, readers: InstanceReaders) -> None:
        try:
            if self._looks_again:
                task.check_that_it_is_there(readers)
            task.examine(readers)
        except SourceError as error:
            self._terms.journal.not_sent(task, error)
            self.unreadable.add(task.key)


def uids_under_way(context: SendContext) -> frozenset[str]:
    """Of transactions whose commit may go on: a receiver answers a discard once that has ended.

    Raises RequestTlsFailed where a file of the TLS settings cannot be used.
    """
    sender_transfer_id = str(uuid.uuid4())
    with HttpSession(context.orthanc_endpoint, context.stop) as session:
        return uids_of(
            each
            for each in _left(context)
            if not _is_over(session, _transaction_of(each, sender_transfer_id), DISCARD_SECONDS)
        )


def _left(context: SendContext) -> list[Checkpoint]:
    return [each for each in context.checkpoints if each.kind == CHECKPOINT]


def _is_over(session: HttpSession, transaction: Transaction, seconds: float) -> bool:
    """Discard it: whether it is known to be forgotten, now or before."""
    try:
        transaction.discard(session, seconds)
    except ResourceNotFound:
        return True
    except RequestError:
        return False
    return True


def _transaction_of(checkpoint: Checkpoint, sender_transfer_id: str) -> Transaction:
    return Transaction(checkpoint.handle["path"], sender_transfer_id)


def _answering_within(endpoint: OrthancEndpoint, seconds: float) -> OrthancEndpoint:
    longest = max(seconds, endpoint.timeouts.dimse_seconds)
    return replace(endpoint, timeouts=replace(endpoint.timeouts, dimse_seconds=longest))
