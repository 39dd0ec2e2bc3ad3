"""Failure Reason (0008,1197) of storage commitment, in plain words (PS3.3 C.14, PS3.4 J.3.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping

NO_SUCH_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119
DENYING = frozenset({NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT})
"""Reasons that say that the archive does not hold the instance as it was sent; others that it does not commit."""

_DOES_NOT_COMMIT = "It does not commit, which does not say that it does not hold the instance"
_WORDS: Mapping[int, str] = {
    0x0110: f"Processing failure at the archive. {_DOES_NOT_COMMIT}",
    0x0112: "The archive says that it does not have this instance, or could not read it",
    0x0119: "The archive says that it holds another SOP class under this SOP Instance UID",
    0x0122: f"The archive does not offer storage commitment for this SOP class. {_DOES_NOT_COMMIT}",
    0x0131: f"The archive has this Transaction UID in use already. {_DOES_NOT_COMMIT}",
    0x0213: f"The archive lacks resources at the moment. {_DOES_NOT_COMMIT}",
}


def failure_reason_text(reason: int | None) -> str:
    """A sentence without its full stop, for any reason or none."""
    if reason is None:
        return f"The archive gives no reason. {_DOES_NOT_COMMIT}"
    return _WORDS.get(reason, f"The archive gives the reason 0x{reason:04X}, which is in no table. {_DOES_NOT_COMMIT}")
