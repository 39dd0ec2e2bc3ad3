"""What a destination answers to one question, and the bounds of an answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from transfers.errors import TransferError
from transfers.wire.identifiers import Query, Row


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows that came, and why there are no more."""

    query: Query
    rows: tuple[Row, ...] = ()
    error: TransferError | None = None
    """Why it does not count as finished; None where it ended with status 0x0000."""
    asked_at: float = 0.0
    """`time.monotonic`, as is the next."""
    ended_at: float = 0.0

    @property
    def is_finished(self) -> bool:
        return self.error is None

    @property
    def may_pass(self) -> bool:
        """Whether the same question, asked again later, may be answered."""
        return self.error is not None and self.error.retriable

    def names(self, sop_instance_uid: str) -> bool:
        return any(row.sop_instance_uid == sop_instance_uid for row in self.rows)
