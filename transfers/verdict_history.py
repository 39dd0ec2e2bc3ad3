"""Every verdict that was given on a transfer, one an audit: none is ever taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.judgements import StudyVerdict
from audit.models import Audit
from transfers.models import Transfer
from transfers.wording import VERDICT_WORDS


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict, as it was given."""

    number: int
    """From 1, in the order in which they were given."""
    chip: dict[str, Any]
    sealed_at: datetime
    reason: str


def verdicts_of(transfer: Transfer) -> list[Given]:
    """The newest first; that of an open audit is still to be given."""
    sealed = [audit for audit in transfer.audit.chain() if audit.sealed_at]
    return [_given(len(sealed) - place, audit) for place, audit in enumerate(sealed)]


def committed_at(transfer: Transfer) -> datetime | None:
    """When the study was last found to be committed, before the newest audit."""
    before = (audit for audit in transfer.audit.chain()[1:] if audit.verdict == StudyVerdict.COMMITTED)
    return next((audit.sealed_at for audit in before), None)


def _given(number: int, audit: Audit) -> Given:
    verdict = StudyVerdict(audit.verdict)
    assert audit.sealed_at is not None, "it is sealed"
    return Given(
        number,
        {"verdict": verdict, "word": VERDICT_WORDS[verdict], "detail": _detail(audit)},
        audit.sealed_at,
        audit.reason,
    )


def _detail(audit: Audit) -> str:
    confirmed, instances = audit.tally.get("confirmed"), audit.tally.get("instances")
    if audit.proof or confirmed is None or audit.verdict == StudyVerdict.NOTHING_STORED:
        return audit.proof
    return f"{confirmed:,} of {instances:,}"
