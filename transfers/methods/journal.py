"""What happens while instances are sent, in words: senders write, the method's generator reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.errors import TransferError
from transfers.methods.base import Seen
from transfers.methods.task import SendTask

MOST_UNREAD = 5_000
_LOOK_AGAIN_SECONDS = 0.01


class Unread(Protocol):
    """What is worked out only once it is read, by whoever reads."""

    def read(self) -> Iterator[Seen]: ...


def sent_observation(entry: ManifestEntry, sha256: str, size_bytes: int, at: datetime, **where: int) -> Observation:
    """That all of it was written: the digest and size are of its data set; `where` it went."""
    detail = {"sha256": sha256, "bytes": size_bytes, "transfer_syntax_uid": entry.transfer_syntax_uid, **where}
    return Observation(entry.sop_instance_uid, EvidenceKind.SENT, at, detail)


class Journal:
    """Appended to by several threads, read by one; the order of what concerns one instance is kept."""

    def __init__(self) -> None:
        self._unread: deque[Observation | Occurrence | Unread] = deque()

    def read(self) -> Iterator[Seen]:
        """What was written since the last time."""
        while self._unread:
            seen = self._unread.popleft()
            if isinstance(seen, Observation | Occurrence):
                yield seen
            else:
                yield from seen.read()

    def has_room(self) -> bool:
        """Whether the reader keeps up; a sender that runs far ahead of what is saved should wait."""
        return len(self._unread) < MOST_UNREAD

    def wait_for_room(self) -> None:
        time.sleep(_LOOK_AGAIN_SECONDS)

    def write(self, seen: Observation | Occurrence | Unread) -> None:
        self._unread.append(seen)

    def observe(self, sop_instance_uid: str, kind: EvidenceKind, detail: Mapping[str, Any]) -> None:
        """Something seen just now."""
        self.write(Observation(sop_instance_uid, kind, datetime.now(UTC), detail))

    def occurred(self, name: str, detail: Mapping[str, Any]) -> None:
        self.write(Occurrence(name, datetime.now(UTC), detail))

    def not_sent(self, task: SendTask, error: TransferError) -> None:
        """Nothing of it was written, or not its last byte and not by the destination's doing."""
        detail = {"code": error.code, "reason": str(error)}
        self.observe(task.entry.sop_instance_uid, EvidenceKind.NOT_SENT, detail)

    def no_answer(self, task: SendTask, error: TransferError, *, will_be_sent_again: bool) -> None:
        """Sending began, and no answer came."""
        detail = {
            "code": error.code,
            "reason": str(error),
            "losses": task.losses,
            "will_be_sent_again": will_be_sent_again,
        }
        self.observe(task.entry.sop_instance_uid, EvidenceKind.NO_ANSWER, detail)
