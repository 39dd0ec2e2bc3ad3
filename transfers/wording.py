"""How states, verdicts, sizes and methods are called on pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from audit.judgements import StudyVerdict
from transfers.methods import METHODS
from transfers.states import State

STATE_WORDS: Mapping[State, str] = {
    State.QUEUED: "Waiting",
    State.CLAIMED: "Starting",
    State.PREPARING: "Starting",
    State.PREFLIGHT: "Asking before sending",
    State.DRAFT: "Draft",
    State.SENDING: "Sending",
    State.VERIFYING: "Asking what arrived",
    State.ROLLING_BACK: "Removing again",
    State.AWAITING_COMMITMENT: "Awaiting commitment",
    State.FINISHED: "Finished",
    State.CANCELLED: "Cancelled",
    State.INTERRUPTED: "Interrupted",
    State.FAILED: "Failed",
}

VERDICT_WORDS: Mapping[StudyVerdict, str] = {
    StudyVerdict.COMMITTED: "Committed",
    StudyVerdict.PARTIAL: "Partial",
    StudyVerdict.NOTHING_STORED: "Nothing stored",
    StudyVerdict.UNVERIFIABLE: "Unverifiable",
    StudyVerdict.PENDING: "Not judged yet",
}

NO_BREAK = "\u00a0"
_UNITS = ("B", "KB", "MB", "GB", "TB")


def size_text(size_bytes: float) -> str:
    """In powers of a thousand, as disks and networks are sold: "3.6 MB"."""
    size, unit = float(size_bytes), 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.0f}{NO_BREAK}{_UNITS[unit]}" if unit == 0 else f"{size:,.1f}{NO_BREAK}{_UNITS[unit]}"


def count_text(count: int, noun: str) -> str:
    """ "1 instance", "2,000 instances"; the noun as in the singular."""
    return f"{count:,}{NO_BREAK}{noun}{'' if count == 1 or noun.endswith('s') else 's'}"


def duration_text(seconds: float) -> str:
    """ "0.4 s", "41 s", "3 min 12 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f}{NO_BREAK}s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest}{NO_BREAK}s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours}{NO_BREAK}h {minutes_left}{NO_BREAK}min" if hours else f"{minutes}{NO_BREAK}min {rest}{NO_BREAK}s"


def method_text(key: str | None) -> str:
    """A transfer without a method only asks."""
    method = METHODS.get(key or "")
    return method.label if method else (key or "Only asked, nothing sent")
