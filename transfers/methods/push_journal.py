"""What happens while transactions are pushed: several threads write, the method's generator reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any, NamedTuple

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.errors import TransferError
from transfers.methods.base import Checkpoint, Seen
from transfers.methods.push_task import PushedFile, PushTask

MOST_UNREAD = 5_000
_LOOK_AGAIN_SECONDS = 0.01

Missing = Callable[[Sequence[ManifestEntry]], Sequence[ManifestEntry]]


class _Saving(NamedTuple):
    """Saved once the generator is asked for what follows it."""

    checkpoint: Checkpoint
    is_saved: Event


class _Asking(NamedTuple):
    """A question that only the reader's thread can put."""

    entries: Sequence[ManifestEntry]
    answer: list[ManifestEntry]
    is_answered: Event


class PushJournal:
    """The order of what one thread writes is kept. Whoever runs far ahead of the reader waits, until that closes it."""

    def __init__(self, missing: Missing) -> None:
        self._missing = missing
        self._unread: deque[Observation | Occurrence | _Saving | _Asking] = deque()
        self._closed = Event()

    def close(self) -> None:
        """Nobody reads any more."""
        self._closed.set()

    def read(self) -> Iterator[Seen]:
        """What was written since the last time."""
        while self._unread:
            match self._unread.popleft():
                case _Saving(checkpoint, is_saved):
                    yield checkpoint
                    is_saved.set()
                case _Asking(entries, answer, is_answered):
                    answer += self._missing(entries)
                    is_answered.set()
                case seen:
                    yield seen

    def save(self, checkpoint: Checkpoint) -> None:
        """Returns once it is saved."""
        saving = _Saving(checkpoint, Event())
        self._unread.append(saving)
        self._wait_for(saving.is_saved)

    def missing(self, tasks: Sequence[PushTask]) -> list[PushTask]:
        """Which of these the destination does not list, or could not be asked about; none, once it is closed."""
        asking = _Asking([task.entry for task in tasks], [], Event())
        self._unread.append(asking)
        self._wait_for(asking.is_answered)
        uids = {entry.sop_instance_uid for entry in asking.answer}
        return [task for task in tasks if task.entry.sop_instance_uid in uids]

    def sent(self, file: PushedFile, transaction: int, at: datetime) -> None:
        """All its bytes were put, and that was answered."""
        entry = file.task.entry
        detail = {
            "sha256": file.sha256,
            "bytes": file.data_set_bytes,
            "transfer_syntax_uid": entry.transfer_syntax_uid,
            "transaction": transaction,
        }
        self._write(Observation(entry.sop_instance_uid, EvidenceKind.SENT, at, detail))

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
            self._write(Observation(task.entry.sop_instance_uid, EvidenceKind.ACKNOWLEDGED, now, detail))

    def not_sent(self, tasks: Iterable[PushTask], error: TransferError) -> None:
        """Nothing of these can have been stored: no commit was asked for, and none will be."""
        detail = {"code": error.code, "reason": str(error)}
        now = datetime.now(UTC)
        for task in tasks:
            self._write(Observation(task.entry.sop_instance_uid, EvidenceKind.NOT_SENT, now, detail))

    def no_answer(self, tasks: Iterable[PushTask], error: TransferError, *, will_be_sent_again: bool) -> None:
        """What became of these is not known."""
        now = datetime.now(UTC)
        for task in tasks:
            detail = {
                "code": error.code,
                "reason": str(error),
                "losses": task.losses,
                "will_be_sent_again": will_be_sent_again,
            }
            self._write(Observation(task.entry.sop_instance_uid, EvidenceKind.NO_ANSWER, now, detail))

    def occurred(self, name: str, transaction: int, **detail: Any) -> None:
        self._write(Occurrence(name, datetime.now(UTC), {"transaction": transaction, **detail}))

    def failed(self, name: str, transaction: int, error: TransferError, **detail: Any) -> None:
        self.occurred(name, transaction, code=error.code, reason=str(error), **detail)

    def _write(self, seen: Observation | Occurrence) -> None:
        while len(self._unread) >= MOST_UNREAD and not self._closed.is_set():
            time.sleep(_LOOK_AGAIN_SECONDS)
        self._unread.append(seen)

    def _wait_for(self, event: Event) -> None:
        while not event.wait(_LOOK_AGAIN_SECONDS) and not self._closed.is_set():
            pass
