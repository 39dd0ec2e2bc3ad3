"""A transfer as a row of the list: what it is, its verdict, why, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from django.urls import reverse
from django.utils.timezone import localtime

from audit.judgements import StudyVerdict
from transfers.models import Transfer
from transfers.states import HELD, RETRIABLE, State
from transfers.wording import STATE_WORDS, VERDICT_WORDS, count_text, method_text, size_text

_LIVE = HELD | {State.QUEUED}


def rows_of(transfers: Iterable[Transfer], now: datetime) -> list[dict[str, Any]]:
    """As `templates/transfers/_rows.html` wants them."""
    return [_row(transfer, localtime(now).date()) for transfer in transfers]


def title_of(transfer: Transfer) -> str:
    return transfer.study_description or "Study without a description"


def study_line(transfer: Transfer) -> str:
    """Date, modalities, how many instances and how large: "14 Mar 2026 · MR · 412 instances · 96.0 MB"."""
    return " · ".join(_study_parts(transfer))


def chip_of(transfer: Transfer) -> dict[str, Any]:
    """The verdict; or, while there is none, where the transfer is."""
    state, verdict = State(transfer.state), StudyVerdict(transfer.verdict)
    if verdict is StudyVerdict.PENDING:
        return {"verdict": verdict, "word": STATE_WORDS[state], "detail": "", "turning": state in HELD}
    detail = _verdict_detail(transfer, verdict)
    if state is State.CANCELLED:
        detail = f"{detail} · cancelled" if detail else "cancelled"
    return {"verdict": verdict, "word": VERDICT_WORDS[verdict], "detail": detail, "turning": False}


def action_of(transfer: Transfer) -> dict[str, str] | None:
    """What most people would do next, by what the tally says; the transfer's page says it exactly."""
    state = State(transfer.state)
    if state in _LIVE:
        cancels = {"url": reverse("transfer-cancel", args=[transfer.public_id]), "label": "Cancel"}
        return None if transfer.cancel_requested_at else cancels
    if state not in RETRIABLE or transfer.verdict == StudyVerdict.COMMITTED:
        return None
    if transfer.method is None:
        return {"url": reverse("transfer-verify", args=[transfer.public_id]), "label": "Verify again"}
    unconfirmed = _unconfirmed(transfer)
    label = "Resume" if state in {State.INTERRUPTED, State.FAILED} else f"Resend {unconfirmed:,}"
    return {"url": reverse("transfer-retry", args=[transfer.public_id]), "label": label}


def _row(transfer: Transfer, today: date) -> dict[str, Any]:
    is_live = State(transfer.state) in _LIVE
    return {
        "public_id": str(transfer.public_id),
        "url": reverse("transfer", args=[transfer.public_id]),
        "revision": transfer.live_revision,
        "title": title_of(transfer),
        "study": study_line(transfer),
        "destination": transfer.destination.name,
        "method": method_text(transfer.method),
        "started_at": transfer.created_at,
        "is_today": localtime(transfer.created_at).date() == today,
        "chip": chip_of(transfer),
        "reason": "" if is_live else transfer.audit.reason,
        "progress": {"done": None, "total": None, "text": "…"} if State(transfer.state) in HELD else None,
        "action": action_of(transfer),
    }


def _study_parts(transfer: Transfer) -> Iterator[str]:
    if transfer.study_date:
        yield f"{transfer.study_date.day} {transfer.study_date:%b %Y}"
    if transfer.modalities:
        yield transfer.modalities.replace(",", ", ")
    yield count_text(transfer.instances, "instance")
    yield size_text(transfer.size_bytes)


def _verdict_detail(transfer: Transfer, verdict: StudyVerdict) -> str:
    if verdict is StudyVerdict.COMMITTED:
        return transfer.audit.proof
    confirmed = transfer.audit.tally.get("confirmed")
    if confirmed is None or verdict is StudyVerdict.NOTHING_STORED:
        return ""
    return f"{confirmed:,} of {transfer.instances:,}"


def _unconfirmed(transfer: Transfer) -> int:
    return transfer.instances - int(transfer.audit.tally.get("confirmed", 0))
