"""A transfer as a row of the list: what it is, its verdict, why, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.urls import reverse
from django.utils.timezone import localtime

from audit.judgements import StudyVerdict
from transfers.models import CommitmentRequest, Transfer
from transfers.states import HELD, RETRIABLE, State
from transfers.wording import STATE_WORDS, VERDICT_WORDS, count_text, duration_text, method_text, size_text

_LIVE = HELD | {State.QUEUED}


def rows_of(transfers: Iterable[Transfer], now: datetime) -> list[dict[str, Any]]:
    """As `templates/transfers/_rows.html` wants them."""
    listed = list(transfers)
    due = _due_of(listed)
    return [_row(transfer, now, due.get(transfer.pk)) for transfer in listed]


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


def _due_of(transfers: Sequence[Transfer]) -> dict[int, datetime]:
    """When the last report is due of those that wait for one."""
    waiting = [each.pk for each in transfers if each.state == State.AWAITING_COMMITMENT]
    if not waiting:
        return {}
    requests = CommitmentRequest.objects.filter(transfer__in=waiting, closed_at__isnull=True).order_by()
    return dict(requests.values_list("transfer").annotate(due=Max("due_at")))


def _row(transfer: Transfer, now: datetime, due: datetime | None) -> dict[str, Any]:
    today = localtime(now).date()
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
        "reason": "" if is_live else _reason(transfer, now, due),
        "progress": {"done": None, "total": None, "text": "…"} if State(transfer.state) in HELD else None,
        "action": action_of(transfer),
    }


def _reason(transfer: Transfer, now: datetime, due: datetime | None) -> str:
    if transfer.state != State.AWAITING_COMMITMENT:
        return transfer.audit.reason
    if due is None or due <= now:
        return "All was sent; the report on what is committed is due now."
    left = duration_text((due - now).total_seconds())
    return f"All was sent; the report on what is committed is due in {left}."


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
