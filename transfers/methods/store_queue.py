"""What is still to be sent by C-STORE: one queue that all senders take from, split by association plan."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock

from audit.entries import ManifestEntry
from transfers.methods.task import SendTask
from transfers.wire.presentation_contexts import AssociationPlan, Encoding, plan_associations


def encoding_of(entry: ManifestEntry) -> Encoding:
    return Encoding(entry.sop_class_uid, entry.transfer_syntax_uid)


def plans_for(entries: Iterable[ManifestEntry]) -> tuple[AssociationPlan, ...]:
    """Return the association plans for these entries."""
    return plan_associations(Counter(encoding_of(entry) for entry in entries))


class StoreQueue:
    """Shared by the senders; every task is taken by one of them at a time."""

    def __init__(self, entries: Sequence[ManifestEntry]) -> None:
        self.plans = plans_for(entries)
        self._lock = Lock()
        self._waiting: list[deque[SendTask]] = [deque() for _ in self.plans]
        numbers = {encoding: number for number, plan in enumerate(self.plans) for encoding in plan.encodings}
        for entry in entries:
            number = numbers[encoding_of(entry)]
            self._waiting[number].append(SendTask(entry, number))

    def take(self, plan: int) -> SendTask | None:
        """The next task of a plan; None where nothing of it waits."""
        with self._lock:
            waiting = self._waiting[plan]
            return waiting.popleft() if waiting else None

    def give_back(self, task: SendTask) -> None:
        """Put back a task of which nothing was sent: it is the next."""
        with self._lock:
            self._waiting[task.plan].appendleft(task)

    def put_last(self, task: SendTask) -> None:
        """Put back a task over which an association was lost: the others first, for it may be to blame."""
        with self._lock:
            self._waiting[task.plan].append(task)

    def fullest_plan(self) -> int | None:
        """The plan of which most waits; None where nothing does."""
        with self._lock:
            plan = max(range(len(self._waiting)), key=lambda number: len(self._waiting[number]), default=None)
            return plan if plan is not None and self._waiting[plan] else None

    def is_empty(self) -> bool:
        return self.fullest_plan() is None

    def take_all(self) -> Iterator[SendTask]:
        """Everything that waits, taken."""
        for plan in range(len(self.plans)):
            while task := self.take(plan):
                yield task
