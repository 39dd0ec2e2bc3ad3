"""What happens while instances are sent, in words: senders write, the method's generator reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.errors import TransferError
from transfers.methods.task import SendTask

MOST_UNREAD = 5_000
_LOOK_AGAIN_SECONDS = 0.01


class Unread(Protocol):
    """What becomes an observation once it is read."""

    def observation(self) -> Observation: ...


class Journal:
    """Appended to by several threads, read by one; the order of what concerns one instance is kept."""

    def __init__(self) -> None:
        self._unread: deque[Observation | Occurrence | Unread] = deque()

    def read(self) -> Iterator[Observation | Occurrence]:
        """What was written since the last time."""
        while self._unread:
            seen = self._unread.popleft()
            yield seen if isinstance(seen, Observation | Occurrence) else seen.observation()

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
