"""One push transaction from its creation to its end; what came of it is told to whoever decides what follows."""

from __future__ import annotations

import time
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import count
from threading import Event, Lock
from typing import NamedTuple

from transfers.errors import (
    RequestError,
    RequestInterrupted,
    ResourceNotFound,
    ServiceBusy,
    ServiceUnreachable,
    SourceError,
    TransferError,
    TransferStopped,
)
from transfers.methods.base import Checkpoint, ReconnectPolicy
from transfers.methods.bucket_layout import lay_out, loads_of
from transfers.methods.http_course import LONGEST_RETRY_AFTER_SECONDS
from transfers.methods.push_carrier import Carrier
from transfers.methods.push_crew import side_by_side
from transfers.methods.push_halting import Halting
from transfers.methods.push_journal import PushJournal
from transfers.methods.push_task import PushTask
from transfers.sources.base import InstanceSource
from transfers.stopping import AnyOf
from transfers.wire.accelerator import Compression, Transaction, create_transaction
from transfers.wire.http import HttpSession

CHECKPOINT = "transaction"
DISCARD_SECONDS = 10.0
"""How long the answer to a discard is waited for, which a commit of somebody else may keep waiting."""
DISCARD_WHEN_STOPPED_SECONDS = 1.0
_GZIP_WINDOW = 31
_FASTEST = 1


class Course(Enum):
    """What came of a transaction."""

    COMMITTED = auto()
    UNKNOWN = auto()
    """A commit was asked for, and not answered with success: any part of it may be stored."""
    GONE = auto()
    """The receiver had forgotten it before a commit was asked for: nothing of it is stored."""
    SPOILED = auto()
    """What was to be sent is not what it was; discarded."""
    DISCARDED = auto()
    """It failed, and nothing of it is stored."""
    LEFT = auto()
    """It failed, no commit was asked for, and the discard was not answered."""


class Outcome(NamedTuple):
    course: Course
    reason: TransferError | None = None
    spoiled: tuple[PushTask, ...] = ()
    """Tasks that cannot be sent; they were told of."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What all transactions of one send share."""

    source: InstanceSource
    policy: ReconnectPolicy
    journal: PushJournal
    halting: Halting
    session: HttpSession
    patient_session: HttpSession
    """For what a commit, ours or somebody else's, keeps waiting."""
    last_session: HttpSession
    """For what is still asked after a stop."""
    threads: int
    compression: Compression
    commit_seconds: float
    sender_transfer_id: str


class Push:
    """Pushes these tasks, all of which were examined, in one transaction."""

    def __init__(self, terms: Terms, tasks: Sequence[PushTask], number: int) -> None:
        self._terms = terms
        self._number = number
        self._tasks = {task.instance.key: task for task in tasks if task.instance is not None}
        self._instances = [task.instance for task in tasks if task.instance is not None]
        self._buckets = lay_out(self._instances)
        self._loads = deque(loads_of(self._buckets))
        self._lock = Lock()
        self._failed = Event()
        self._failure: TransferError | None = None
        self._spoiled: list[PushTask] = []
        self._over = AnyOf(terms.halting.stopping, self._failed)

    def run(self) -> Outcome:
        """Never raises for a fault of the peer or of a file."""
        try:
            transaction = self._created()
        except TransferError as error:
            self._terms.journal.failed("transaction_not_created", self._number, error)
            return Outcome(Course.DISCARDED, error)
        self._opened(transaction)
        self._put_everything(transaction)
        failure = self._failure or (TransferStopped() if self._terms.halting.stopping.is_set() else None)
        return self._given_up(transaction, failure) if failure else self._committed(transaction)

    def _created(self) -> Transaction:
        """Raises RequestError, TransferStopped."""
        terms = self._terms
        unanswered = 0
        for failures in count(1):
            if terms.halting.stopping.is_set():
                raise TransferStopped
            try:
                return create_transaction(
                    terms.patient_session,
                    self._instances,
                    self._buckets,
                    compression=terms.compression,
                    sender_transfer_id=terms.sender_transfer_id,
                    seconds=terms.commit_seconds,
                )
            except RequestError as error:
                # One that was made without our knowing its name takes somebody's place at the receiver.
                unanswered += not isinstance(error, ServiceUnreachable | ServiceBusy)
                is_last = failures >= terms.policy.attempts or unanswered >= terms.policy.losses_per_instance
                if is_last or not _is_worth_another(error):
                    raise _as_stop(error) from error
                self._over.wait(_wait_seconds(terms.policy, failures, error))
        raise AssertionError("counted to the end")

    def _opened(self, transaction: Transaction) -> None:
        self._terms.journal.save(self._checkpoint(transaction))
        self._terms.journal.told(
            "transaction_opened",
            self._number,
            instances=len(self._instances),
            buckets=len(self._buckets),
            bytes=sum(each.size_bytes for each in self._instances),
        )

    def _checkpoint(self, transaction: Transaction, *, outlives_send: bool = False) -> Checkpoint:
        uids = [task.entry.sop_instance_uid for task in self._tasks.values()]
        handle = {"path": transaction.path, "sop_instance_uids": uids}
        return Checkpoint(CHECKPOINT, handle, outlives_send=outlives_send)

    def _put_everything(self, transaction: Transaction) -> None:
        threads = min(self._terms.threads, len(self._loads))
        side_by_side(threads, lambda: self._put_loads(transaction))

    def _put_loads(self, transaction: Transaction) -> None:
        try:
            with self._terms.source.readers(self._over) as readers:
                carrier = Carrier(self._tasks, self._buckets, readers, self._spoil)
                while not self._over.is_set() and (load := self._next_load()) is not None:
                    self._put_load(transaction, carrier, load)
        except TransferError as error:
            self._fail(error)
        except BaseException:
            self._failed.set()
            raise

    def _put_load(self, transaction: Transaction, carrier: Carrier, load: range) -> None:
        """Raises TransferError."""
        for filled in carrier.fill(load):
            self._put(transaction, filled.place, self._compressed(filled.content))
            now = datetime.now(UTC)
            for file in filled.ended:
                self._terms.journal.sent(file, self._number, now)

    def _put(self, transaction: Transaction, place: int, content: bytes | memoryview) -> None:
        """Until it is answered, for as long as the policy has it. Raises RequestError, TransferStopped."""
        policy = self._terms.policy
        for failures in count(1):
            if self._over.is_set():
                raise TransferStopped
            try:
                transaction.put(self._terms.session, place, content)
            except RequestError as error:
                if failures >= policy.attempts or not _is_worth_another(error):
                    raise
                self._over.wait(_wait_seconds(policy, failures, error))
            else:
                return

    def _compressed(self, content: memoryview) -> bytes | memoryview:
        if self._terms.compression == "none":
            return content
        compressor = zlib.compressobj(_FASTEST, wbits=_GZIP_WINDOW)
        return compressor.compress(content) + compressor.flush()

    def _next_load(self) -> range | None:
        with self._lock:
            return self._loads.popleft() if self._loads else None

    def _fail(self, error: TransferError) -> None:
        with self._lock:
            if not isinstance(error, TransferStopped | RequestInterrupted):
                self._failure = self._failure or error
            self._failed.set()

    def _spoil(self, task: PushTask, error: SourceError) -> None:
        self._terms.journal.not_sent(task, error)
        with self._lock:
            self._spoiled.append(task)

    def _given_up(self, transaction: Transaction, failure: TransferError) -> Outcome:
        if isinstance(failure, ResourceNotFound):
            self._terms.journal.failed("transaction_gone", self._number, failure)
            return Outcome(Course.GONE, failure, tuple(self._spoiled))
        is_discarded = self._discard(transaction, failure)
        course = Course.SPOILED if self._spoiled else Course.DISCARDED
        return Outcome(course if is_discarded else Course.LEFT, failure, tuple(self._spoiled))

    def _discard(self, transaction: Transaction, reason: TransferError) -> bool:
        """Whether it is known to be forgotten at the receiver."""
        try:
            transaction.discard(self._terms.last_session, seconds_to_discard(self._terms))
        except ResourceNotFound:
            return True
        except RequestError as error:
            self._terms.journal.failed("transaction_not_discarded", self._number, error)
            return False
        self._terms.journal.failed("transaction_discarded", self._number, reason)
        return True

    def _committed(self, transaction: Transaction) -> Outcome:
        terms = self._terms
        started = time.monotonic()
        try:
            with terms.halting.committing():
                terms.journal.told("commit_asked", self._number, instances=len(self._instances))
                started = time.monotonic()
                transaction.commit(terms.patient_session, terms.commit_seconds)
        except TransferStopped as error:
            return self._given_up(transaction, error)
        except RequestError as error:
            reason = _as_stop(error)
            seconds = round(time.monotonic() - started, 3)
            terms.journal.failed("commit_failed", self._number, reason, seconds=seconds)
            if not self._discard(transaction, reason):
                # A receiver answers a discard once the commit has ended: this one may go on.
                terms.journal.save(self._checkpoint(transaction, outlives_send=True))
            return Outcome(Course.UNKNOWN, reason)
        seconds = time.monotonic() - started
        terms.journal.acknowledged(self._tasks.values(), self._number, seconds)
        terms.journal.told(
            "transaction_committed", self._number, instances=len(self._instances), seconds=round(seconds, 3)
        )
        return Outcome(Course.COMMITTED)


def seconds_to_discard(terms: Terms) -> float:
    """How long a discard may take to be answered."""
    return DISCARD_WHEN_STOPPED_SECONDS if terms.halting.stopping.is_set() else DISCARD_SECONDS


def _is_worth_another(error: RequestError) -> bool:
    if isinstance(error, RequestInterrupted) or (error.retry_after_seconds or 0.0) > LONGEST_RETRY_AFTER_SECONDS:
        return False
    return error.retriable


def _wait_seconds(policy: ReconnectPolicy, failures: int, error: RequestError) -> float:
    return max(policy.wait_seconds(failures), error.retry_after_seconds or 0.0)


def _as_stop(error: TransferError) -> TransferError:
    return TransferStopped() if isinstance(error, RequestInterrupted) else error
