"""What the page of a batch shows, by its state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.urls import reverse

from audit.entries import SkippedKind
from transfers.drafts import Plan, Prospect, prospect, worst_tone
from transfers.fitting import commits_by_itself
from transfers.models import Batch, SkippedFile, Transfer
from transfers.rows import rows_of, study_line, title_of
from transfers.states import HELD, TERMINAL, BatchState, State
from transfers.wording import count_text, method_text, size_text

STUDIES_A_PAGE = 100
SKIPPED_SHOWN = 50
"""Of each kind; the API lists all."""

_TONES = ("error", "warning", "info", "success")

STATE_TITLES: Mapping[BatchState, str] = {
    BatchState.QUEUED: "Waiting to be read",
    BatchState.READING: "Reading",
    BatchState.ASKING: "Asking the destination",
    BatchState.DRAFT: "Before sending",
    BatchState.STARTED: "Started",
    BatchState.FAILED: "Nothing could be sent",
    BatchState.DISCARDED: "Discarded",
}
UNDER_WAY = frozenset({BatchState.QUEUED, BatchState.READING, BatchState.ASKING})

SKIPPED_TITLES: Mapping[SkippedKind, str] = {
    SkippedKind.BROKEN: "Could not be read",
    SkippedKind.NO_UID: "Without a UID that is needed",
    SkippedKind.CONFLICT: "Other content under a UID that another file has",
    SkippedKind.UNSAFE: "With a UID or a path that is not safe",
    SkippedKind.DUPLICATE: "The same content once more",
    SkippedKind.DICOMDIR: "DICOMDIR, which is an index",
    SkippedKind.NOT_DICOM: "Not DICOM",
}
"""The harmful ones first."""


def batch_context(batch: Batch, page: int, now: datetime) -> dict[str, Any]:
    """For `submissions/_batch.html`."""
    state = BatchState(batch.state)
    context = {
        "batch": batch,
        "batch_id": str(batch.public_id),
        "state": state.value,
        "title": STATE_TITLES[state],
        "method": method_text(batch.method) if batch.method else "",
        "what": _what(batch),
        "is_under_way": state in UNDER_WAY,
        "batch_url": reverse("batch", args=[batch.public_id]),
        "skipped": list(_skipped(batch)),
    }
    if state is BatchState.ASKING:
        context |= _asking(batch)
    if state is BatchState.DRAFT:
        context |= _draft(batch, page)
    if state is BatchState.STARTED:
        context |= _started(batch, page, now)
    return context


def _what(batch: Batch) -> str:
    if batch.source is not None:
        count = len(batch.studies)
        return f"{count:,} stud{'y' if count == 1 else 'ies'} of {batch.source.name}"
    return batch.path or _uploads_text(batch)


def _uploads_text(batch: Batch) -> str:
    names = list(batch.uploads.values_list("name", flat=True)[:2])
    return names[0] if len(names) == 1 else count_text(batch.uploads.count(), "uploaded file")


def _asking(batch: Batch) -> dict[str, Any]:
    transfers = batch.transfers.count()
    waiting = batch.transfers.filter(state__in=[State.QUEUED, *HELD]).count()
    return {"studies": transfers, "studies_asked": transfers - waiting}


def _draft(batch: Batch, page: int) -> dict[str, Any]:
    """Studies with something in the way first."""
    plans = {what_can: _plan(batch, send_what_can=what_can) for what_can in (False, True)}
    drafts = list(batch.transfers.filter(state=State.DRAFT).order_by("pk"))
    found = [(draft, _prospect(draft, plans[batch.send_what_can])) for draft in drafts]
    found.sort(key=lambda each: _TONES.index(worst_tone(each[1].notes)))
    more = [_prospect(draft, plans[True]) for draft in drafts]
    prospects = [each for _, each in found]
    return {
        "studies": len(found),
        "rows": [_draft_row(*each) for each in _on(page, found, len(found))],
        "pages": _pages(batch, page, len(found)),
        "to_send": _amount(prospects),
        "instances_to_send": sum(each.instances for each in prospects),
        "what_can": _amount(more) if any(each.can_send_more for each in prospects) else "",
        "unasked": next((draft.findings["error"]["reason"] for draft in drafts if draft.findings.get("error")), ""),
        "given_up": batch.transfers.exclude(state=State.DRAFT).count(),
    }


def _plan(batch: Batch, *, send_what_can: bool) -> Plan:
    return Plan(
        batch.method,
        batch.destination.policy,
        batch.verify,
        send_what_can,
        asks_commitment=batch.asks_commitment or commits_by_itself(batch.options),
        rolls_back=batch.rolls_back,
    )


def _prospect(draft: Transfer, plan: Plan) -> Prospect:
    return prospect(draft.findings, plan, instances=draft.instances, size_bytes=draft.size_bytes)


def _amount(prospects: Sequence[Prospect]) -> str:
    instances = count_text(sum(each.instances for each in prospects), "instance")
    return f"{instances} ({size_text(sum(each.size_bytes for each in prospects))})"


def _draft_row(draft: Transfer, found: Prospect) -> dict[str, Any]:
    return {
        "url": reverse("transfer", args=[draft.public_id]),
        "id": str(draft.public_id),
        "title": title_of(draft),
        "study": study_line(draft),
        "prospect": found,
        "sends": f"{found.instances:,} of {draft.instances:,}",
    }


def _started(batch: Batch, page: int, now: datetime) -> dict[str, Any]:
    transfers = batch.transfers.select_related("destination", "audit").order_by("pk")
    count = batch.transfers.count()
    return {
        "studies": count,
        "rows": rows_of(_on(page, transfers, count), now),
        "pages": _pages(batch, page, count),
        "is_running": batch.transfers.exclude(state__in=[*TERMINAL, State.INTERRUPTED]).exists(),
    }


def _on(page: int, rows: Any, count: int) -> Any:
    first = (_within(page, count) - 1) * STUDIES_A_PAGE
    return rows[first : first + STUDIES_A_PAGE]


def _within(page: int, count: int) -> int:
    return max(1, min(page, math.ceil(count / STUDIES_A_PAGE)))


def _pages(batch: Batch, page: int, count: int) -> dict[str, str]:
    url, page = reverse("batch", args=[batch.public_id]), _within(page, count)
    first, last = (page - 1) * STUDIES_A_PAGE + 1, min(page * STUDIES_A_PAGE, count)
    return {
        "previous": f"{url}?page={page - 1}" if page > 1 else "",
        "next": f"{url}?page={page + 1}" if count > last else "",
        "position": f"{first:,}–{last:,} of {count:,}" if count > STUDIES_A_PAGE else "",
        "here": f"{url}?page={page}",
    }


def _skipped(batch: Batch) -> Iterator[dict[str, Any]]:
    """By kind; the harmful ones first."""
    rows = batch.skipped.order_by()
    counts = dict(rows.values_list("kind").annotate(count=Count("pk")))
    for kind, title in SKIPPED_TITLES.items():
        if count := counts.get(kind, 0):
            shown = SkippedFile.objects.filter(batch=batch, kind=kind).order_by("pk")[:SKIPPED_SHOWN]
            yield {
                "kind": kind.value,
                "title": title,
                "count": count,
                "is_harmless": kind.is_harmless,
                "files": list(shown.values("path", "reason")),
                "not_shown": max(0, count - SKIPPED_SHOWN),
            }
