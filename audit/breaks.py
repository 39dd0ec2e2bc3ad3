"""Where the ledger is not what it was when it was written. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID


class BreakKind(StrEnum):
    ROW_CHANGED = "row-changed"
    ROW_MISSING = "row-missing"
    ROW_ADDED = "row-added"
    LINK_CHANGED = "link-changed"
    LINK_MISSING = "link-missing"
    LINK_ADDED = "link-added"
    CHECKPOINT_CHANGED = "checkpoint-changed"


@dataclass(frozen=True, slots=True)
class Break:
    """The first broken link of an audit, or a broken checkpoint."""

    kind: BreakKind
    says: str
    """In plain words: what is there, and what was expected."""
    audit: UUID | None = None
    link: int | None = None
    """Its position in the chain of the audit."""
    checkpoint: date | None = None

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "kind": self.kind.value,
            "audit": str(self.audit) if self.audit else None,
            "link": self.link,
            "checkpoint": self.checkpoint.isoformat() if self.checkpoint else None,
            "says": self.says,
        }
