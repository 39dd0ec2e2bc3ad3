"""What happens while instances are sent, in words: senders write, the method's generator reads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from audit.observations import EvidenceKind, Observation, Occurrence
from transfers.errors import TransferError
from transfers.methods.store_queue import StoreTask
from transfers.wire.association import Association
from transfers.wire.digests import Digest
from transfers.wire.foreign_text import clean_text
from transfers.wire.store import LoadedInstance
from transfers.wire.store_answer import judge_status
from transfers.wire.store_messages import StoreResponse

MOST_UNREAD = 5_000
_LOOK_AGAIN_SECONDS = 0.01


class _SentInstance(NamedTuple):
    """Its SHA-256 may still be under way: the sender does not wait for it, the reader does."""

    sop_instance_uid: str
    at: datetime
    digest: Digest
    detail: dict[str, Any]

    def observation(self) -> Observation:
        detail = {"sha256": self.digest.hexdigest(), **self.detail}
        return Observation(self.sop_instance_uid, EvidenceKind.SENT, self.at, detail)


class StoreJournal:
    """Appended to by several threads, read by one; the order of what concerns one instance is kept."""

    def __init__(self) -> None:
        self._unread: deque[Observation | Occurrence | _SentInstance] = deque()

    def read(self) -> Iterator[Observation | Occurrence]:
        """What was written since the last time."""
        while self._unread:
            seen = self._unread.popleft()
            yield seen.observation() if isinstance(seen, _SentInstance) else seen

    def has_room(self) -> bool:
        """Whether the reader keeps up; a sender that runs far ahead of what is saved should wait."""
        return len(self._unread) < MOST_UNREAD

    def wait_for_room(self) -> None:
        time.sleep(_LOOK_AGAIN_SECONDS)

    def sent(self, instance: LoadedInstance, transfer_syntax_uid: str, association: int, at: datetime) -> None:
        detail: dict[str, Any] = {
            "bytes": instance.what.size,
            "transfer_syntax_uid": transfer_syntax_uid,
            "association": association,
        }
        if instance.is_padded:
            detail["padding"] = 1
        self._unread.append(_SentInstance(instance.what.sop_instance_uid, at, instance.digest, detail))

    def answered(self, response: StoreResponse, sop_instance_uid: str, association: int, sent_at: datetime) -> None:
        now = datetime.now(UTC)
        answer = judge_status(response.status_code)
        detail = {
            "status_code": f"0x{response.status_code:04X}",
            "meaning": answer.meaning,
            "association": association,
            "seconds": round((now - sent_at).total_seconds(), 4),
        }
        if response.error_comment:
            detail["error_comment"] = clean_text(response.error_comment)
        self._observe(sop_instance_uid, answer.kind, now, detail)

    def not_sent(self, task: StoreTask, error: TransferError) -> None:
        """Nothing of it was written, or not its last fragment and not by the destination's doing."""
        detail = {"code": error.code, "reason": str(error)}
        self._observe(task.entry.sop_instance_uid, EvidenceKind.NOT_SENT, datetime.now(UTC), detail)

    def no_answer(self, task: StoreTask, error: TransferError, *, will_be_sent_again: bool) -> None:
        """Sending began, and no answer came."""
        detail = {
            "code": error.code,
            "reason": str(error),
            "losses": task.losses,
            "will_be_sent_again": will_be_sent_again,
        }
        self._observe(task.entry.sop_instance_uid, EvidenceKind.NO_ANSWER, datetime.now(UTC), detail)

    def opened(self, association: Association, number: int) -> None:
        detail = {
            "association": number,
            "accepted_contexts": len(association.accepted),
            "rejected_contexts": len(association.rejected),
            "maximum_length": association.maximum_length,
        }
        self.occurred("association_opened", detail)

    def failed(self, name: str, error: TransferError, number: int, **detail: Any) -> None:
        """An association could not be opened, or ended before its time."""
        self.occurred(name, {"association": number, "code": error.code, "reason": str(error), **detail})

    def occurred(self, name: str, detail: dict[str, Any]) -> None:
        self._unread.append(Occurrence(name, datetime.now(UTC), detail))

    def _observe(self, sop_instance_uid: str, kind: EvidenceKind, at: datetime, detail: dict[str, Any]) -> None:
        self._unread.append(Observation(sop_instance_uid, kind, at, detail))
