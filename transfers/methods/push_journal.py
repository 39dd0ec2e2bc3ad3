"""What happens while transactions are pushed: several threads write, the method's generator reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any, NamedTuple

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.errors import TransferError
from transfers.methods.base import Checkpoint, Seen
from transfers.methods.journal import Journal, Unread, sent_observation
from transfers.methods.push_task import PushedFile, PushTask

_LOOK_AGAIN_SECONDS = 0.01

Missing = Callable[[Sequence[ManifestEntry]], Sequence[ManifestEntry]]


class _Saving(NamedTuple):
    """Saved once the generator is asked for what follows it."""

    checkpoint: Checkpoint
    is_saved: Event

    def read(self) -> Iterator[Seen]:
        yield self.checkpoint
        self.is_saved.set()


class _Asking(NamedTuple):
    """A question that only the reader's thread can put."""

    missing: Missing
    entries: Sequence[ManifestEntry]
    answer: list[ManifestEntry]
    is_answered: Event

    def read(self) -> Iterator[Seen]:
        self.answer.extend(self.missing(self.entries))
        self.is_answered.set()
        yield None


class PushJournal(Journal):
    """The order of what one thread writes is kept. Whoever runs far ahead of the reader waits, until that closes it."""

    def __init__(self, missing: Missing) -> None:
        super().__init__()
        self._missing = missing
        self._closed = Event()

    def close(self) -> None:
        """Nobody reads any more."""
        self._closed.set()

    def write(self, seen: Observation | Occurrence | Unread) -> None:
        while not self.has_room() and not self._closed.is_set():
            self.wait_for_room()
        super().write(seen)

    def save(self, checkpoint: Checkpoint) -> None:
        """Returns once it is saved."""
        saving = _Saving(checkpoint, Event())
        super().write(saving)
        self._wait_for(saving.is_saved)

    def missing(self, tasks: Sequence[PushTask]) -> list[PushTask]:
        """Which of these the destination does not list, or could not be asked about; none, once it is closed."""
        asking = _Asking(self._missing, [task.entry for task in tasks], [], Event())
        super().write(asking)
        self._wait_for(asking.is_answered)
        uids = {entry.sop_instance_uid for entry in asking.answer}
        return [task for task in tasks if task.entry.sop_instance_uid in uids]

    def sent(self, file: PushedFile, transaction: int, at: datetime) -> None:
        """All its bytes were put, and that was answered."""
        size_bytes = file.data_set_bytes
        self.write(sent_observation(file.task.entry, file.sha256, size_bytes, at, transaction=transaction))

    def acknowledged(self, tasks: Iterable[PushTask], transaction: int, seconds: float) -> None:
        """A commit was answered with success, which speaks of every instance of the transaction."""
        now = datetime.now(UTC)
        detail = {
            "status_code": 200,
            "meaning": "The transaction was committed",
            "transaction": transaction,
            "seconds": round(seconds, 4),
        }
        for task in tasks:
            self.write(Observation(task.entry.sop_instance_uid, EvidenceKind.ACKNOWLEDGED, now, detail))

    def told(self, name: str, transaction: int, **detail: Any) -> None:
        """Something happened to a transaction."""
        self.occurred(name, {"transaction": transaction, **detail})

    def failed(self, name: str, transaction: int, error: TransferError, **detail: Any) -> None:
        self.told(name, transaction, code=error.code, reason=str(error), **detail)

    def _wait_for(self, event: Event) -> None:
        while not event.wait(_LOOK_AGAIN_SECONDS) and not self._closed.is_set():
            pass
