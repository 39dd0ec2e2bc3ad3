"""What a C-STORE status means (PS3.4 B.2.3, PS3.7 Annex C): the code as evidence, with the words for it."""

from __future__ import annotations

from typing import NamedTuple

from pynetdicom.status import (
    STATUS_FAILURE,
    STATUS_SUCCESS,
    STATUS_WARNING,
    STORAGE_SERVICE_CLASS_STATUS,
)

from audit.observations import EvidenceKind

DUPLICATE_SOP_INSTANCE = 0x0111

_KINDS = {
    STATUS_SUCCESS: EvidenceKind.ACKNOWLEDGED,
    STATUS_WARNING: EvidenceKind.ACKNOWLEDGED,
    STATUS_FAILURE: EvidenceKind.REFUSED,
}


class StoreAnswer(NamedTuple):
    """A status code, judged."""

    kind: EvidenceKind
    meaning: str


def judge_status(status_code: int) -> StoreAnswer:
    """Return what kind of evidence a status is. One in no table, and a duplicate (0x0111), is neither yes nor no."""
    if status_code == DUPLICATE_SOP_INSTANCE:
        return StoreAnswer(EvidenceKind.ANSWER_UNCLEAR, "Duplicate SOP Instance: what is stored there was not said")
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status_code, ("", "A status that no table of DICOM lists"))
    kind = _KINDS.get(category, EvidenceKind.ANSWER_UNCLEAR)
    if status_code and kind is EvidenceKind.ACKNOWLEDGED:
        meaning = f"Warning: {meaning}"
    return StoreAnswer(kind, meaning or category)
