"""What happens while instances are sent by C-STORE."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from audit.observations import EvidenceKind, Observation
from transfers.errors import TransferError
from transfers.methods.journal import Journal
from transfers.wire.association import Association
from transfers.wire.digests import Digest
from transfers.wire.foreign_text import clean_text
from transfers.wire.store import LoadedInstance
from transfers.wire.store_answer import judge_status
from transfers.wire.store_messages import StoreResponse


class _SentInstance(NamedTuple):
    """Its SHA-256 may still be under way: the sender does not wait for it, the reader does."""

    sop_instance_uid: str
    at: datetime
    digest: Digest
    detail: dict[str, Any]

    def read(self) -> Iterator[Observation]:
        detail = {"sha256": self.digest.hexdigest(), **self.detail}
        yield Observation(self.sop_instance_uid, EvidenceKind.SENT, self.at, detail)


class StoreJournal(Journal):
    """What concerns associations besides."""

    def sent(self, instance: LoadedInstance, transfer_syntax_uid: str, association: int, at: datetime) -> None:
        detail: dict[str, Any] = {
            "bytes": instance.what.size,
            "transfer_syntax_uid": transfer_syntax_uid,
            "association": association,
        }
        if instance.is_padded:
            detail["padding"] = 1
        self.write(_SentInstance(instance.what.sop_instance_uid, at, instance.digest, detail))

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
        self.write(Observation(sop_instance_uid, answer.kind, now, detail))

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
