"""What the templates of a transfer's page are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from audit.cells import Cell
from audit.contradictions import Contradiction
from audit.judgements import Ground, InstanceVerdict
from audit.observations import EvidenceKind
from audit.plain_words import GROUND_WORDS, KIND_WORDS
from audit.reports import reason_for
from transfers.commitment_clock import askings_of, orphans_of
from transfers.contradictions import contradiction_text
from transfers.failures import failures_of
from transfers.finding_groups import finding_text
from transfers.forms import InstanceFilterForm
from transfers.funnel import Asked, steps_of
from transfers.instance_listing import InstanceFilters, matching, page_of, rows_of
from transfers.lanes import Sending, StateChange, lanes_of
from transfers.methods import METHODS
from transfers.methods.orthanc_job import OrthancJobMethod
from transfers.models import Transfer
from transfers.rows import chip_of, title_of
from transfers.settings_used import proves_of, settings_of
from transfers.states import HELD, State
from transfers.timeline import ORPHAN_WORDS, tell
from transfers.verdict_history import verdicts_of
from transfers.views.clock_context import clock_context
from transfers.views.grid_context import grid_context
from transfers.views.job_context import jobs_context
from transfers.views.look import Look
from transfers.views.transfer_actions import actions_of, again_of
from transfers.views.transfer_notices import notices_of
from transfers.wording import count_text, duration_text, method_text, size_text

Context = dict[str, Any]
FRAGMENTS = (
    "heading",
    "summary",
    "commitment",
    "jobs",
    "grid",
    "failures",
    "attempts",
    "again",
    "verdicts",
    "receipt",
    "timeline",
)
EVENTS_SHOWN = 200
_OPEN_VERDICTS = {Cell.REFUTED.value: InstanceVerdict.REFUTED.value}


def page_context(transfer: Transfer, request: HttpRequest, now: datetime) -> Context:
    """Everything of the page."""
    look = Look(transfer, request, now)
    context: Context = {
        "revision": transfer.live_revision,
        "proves": proves_of(transfer),
        "settings": settings_of(transfer),
        "manifest_sha256": transfer.manifest_sha256,
    }
    for name in FRAGMENTS:
        context |= _OF_FRAGMENT[name](look)
    return context | _common(look) | _instances(look)


def fragment_context(transfer: Transfer, name: str, request: HttpRequest, now: datetime) -> Context:
    look = Look(transfer, request, now)
    return _common(look) | _OF_FRAGMENT[name](look)


def instances_context(transfer: Transfer, request: HttpRequest) -> Context:
    look = Look(transfer, request, transfer.created_at)
    return _common(look) | _instances(look)


def _common(look: Look) -> Context:
    urls = {f"{name}_url": look.fragment_url(name) for name in FRAGMENTS}
    return {"public_id": str(look.transfer.public_id), "destination": look.transfer.destination.name, **urls}


def _heading(look: Look) -> Context:
    transfer = look.transfer
    batch = transfer.batch
    return {
        "study": {
            "title": title_of(transfer),
            "date": transfer.study_date,
            "modalities": transfer.modalities.replace(",", ", "),
            "series": transfer.series,
            "instances": transfer.instances,
            "size": size_text(transfer.size_bytes),
            "uid": transfer.study_instance_uid,
        },
        "source": transfer.source.name if transfer.source else "",
        "source_url": f"{reverse('sources')}#source-{transfer.source.name}" if transfer.source else "",
        "destination_url": f"{reverse('destinations')}#destination-{transfer.destination.name}",
        "method": method_text(transfer.method) if transfer.method else "",
        "started_at": transfer.created_at,
        "duration": _duration(transfer),
        "batch_url": f"/batches/{batch.public_id}/" if batch else "",
        "actions": actions_of(look),
    }


def _duration(transfer: Transfer) -> str:
    if transfer.finished_at is None:
        return ""
    return duration_text((transfer.finished_at - transfer.created_at).total_seconds())


def _summary(look: Look) -> Context:
    transfer = look.transfer
    return {
        "chip": chip_of(transfer),
        "reason": reason_for(transfer.audit) if look.is_over else _what_goes_on(look),
        "report_url": f"/api/v1/transfers/{transfer.public_id}/report/",
        "progress": {"done": None, "total": None, "text": "…"} if look.state in HELD else None,
        "steps": steps_of(
            look.tally,
            _asked(look),
            is_over=look.is_over,
            url_of_missing=lambda step: look.instances_url({"missing": step}),
        ),
        "notices": notices_of(look),
    }


def _asked(look: Look) -> Asked:
    tally, verification = look.tally, look.transfer.verification
    return Asked(
        sends=look.transfer.method is not None,
        by_job=isinstance(METHODS.get(look.transfer.method or ""), OrthancJobMethod),
        asks=verification.asks,
        commits=look.asked_to_commit,
        compares=verification.compares_content or bool(tally.get("compared") or tally.get("different")),
    )


def _what_goes_on(look: Look) -> str:
    if look.state is State.DRAFT:
        return "Nothing was sent yet: this is a draft."
    count = count_text(look.transfer.instances, "instance")
    if look.state is State.INTERRUPTED:
        return f"It was stopped half-way, and is not judged. What is known of its {count} so far is kept."
    if look.state is State.FAILED:
        return f"An error of ours ended it; the log says more. What is known of its {count} so far is kept."
    if look.state is State.AWAITING_COMMITMENT:
        return f"All was done but the report of the destination on its {count}: judged once that came, or is overdue."
    return f"Judged once the destination was asked about its {count}."


def _grid(look: Look) -> Context:
    opens_at = f"{look.url('transfer')}?from="
    return {"grid": grid_context(look.live.cells, look.instances_url, opens_at, look.series_at)}


def _failures(look: Look) -> Context:
    if not look.is_over:
        return {"failures": []}
    audit, commits = look.transfer.audit, look.asked_to_commit
    return {"failures": failures_of(audit, look.instances_url, asked_to_commit=commits)}


def _commitment(look: Look) -> Context:
    if not look.asked_to_commit:
        return {"commitment": None}
    orphans = [
        {"at": each.at, "from": each.calling_ae_title, "why": ORPHAN_WORDS.get(each.because, "")}
        for each in orphans_of(look.transfer)
    ]
    return {"commitment": clock_context(askings_of(look.transfer), look) | {"orphans": orphans}}


def _verdicts(look: Look) -> Context:
    """Only where there is more than the one on top."""
    given = verdicts_of(look.transfer)
    return {"verdicts": given if len(given) + (not look.is_over) > 1 else []}


def _attempts(look: Look) -> Context:
    events = look.transfer.events.filter(name="state_changed").values_list("at", "detail")
    changes = [StateChange(at, State(detail["after"])) for at, detail in events]
    sendings = [
        Sending(each.started_at, each.ended_at, each.instances, each.size_bytes)
        for each in look.transfer.attempts.all()
    ]
    return {"attempts": lanes_of(changes, sendings, look.now)}


def _receipt(look: Look) -> Context:
    if not look.is_over:
        return {"receipt": {}}
    urls = {"page_url": "receipt", "json_url": "receipt-json", "csv_url": "receipt-csv"}
    receipt = {key: look.url(name) for key, name in urls.items()}
    return {"receipt": receipt | {"check_url": reverse("receipt-check")}}


def _timeline(look: Look) -> Context:
    newest = list(look.transfer.events.order_by("-id")[: EVENTS_SHOWN + 1])
    events = []
    for event in reversed(newest[:EVENTS_SHOWN]):
        told = tell(event.name, event.detail)
        events.append({"at": event.at, "text": told.text, "detail": told.detail, "tone": told.tone})
    earlier = f"/api/v1/transfers/{look.transfer.public_id}/events/" if len(newest) > EVENTS_SHOWN else ""
    return {"events": events, "earlier_url": earlier}


def _instances(look: Look) -> Context:
    transfer, request = look.transfer, look.request
    audit = transfer.audit
    form = InstanceFilterForm(request.GET, look.series)
    filters = form.filters()
    page = page_of(matching(audit, filters), form.from_position())
    kept = {name: str(value) for name, value in request.GET.items() if name != "from" and value}
    live = {} if look.is_over else _live_verdicts(look)
    return {
        "instances_url": request.get_full_path() if "from" in request.GET or kept else look.url("transfer"),
        "instance_filters": _verdict_filters(look, filters.verdict),
        "instance_form": form,
        "instance_form_is_open": any(request.GET.get(name) for name in ("missing", "evidence", "series")),
        "instance_only": _only(filters),
        "instance_clear_url": look.url("transfer"),
        "instances": rows_of(audit, page.instances, live),
        "instance_pager": {
            "previous_url": _page_url(look, kept, page.previous_from),
            "next_url": _page_url(look, kept, page.next_from),
            "position": _position(page.instances[0].position, page.instances[-1].position) if page.instances else "",
        },
    }


def _only(filters: InstanceFilters) -> str:
    """What a link limits the table to and no field says."""
    words = []
    if filters.ground:
        words.append(GROUND_WORDS[Ground(filters.ground)])
    if filters.contradiction:
        pair = Contradiction.parse(filters.contradiction)
        words.append(contradiction_text(*pair) if pair else "proofs contradict each other")
    if filters.code and filters.asked:
        words.append(finding_text(filters.code))
    elif filters.code:
        words.append(_answered(filters.code))
    return ", ".join(words)


def _answered(code: str) -> str:
    """A status code, the code of an error of ours, or a kind of evidence that came without."""
    if code.startswith("0x"):
        return f"last answered with {code}"
    if code in set(EvidenceKind):
        return f"last of their sending: {KIND_WORDS[EvidenceKind(code)].lower()}"
    return f"reason {code}"


def _live_verdicts(look: Look) -> dict[int, str]:
    return {at: _OPEN_VERDICTS.get(cell, InstanceVerdict.PENDING.value) for at, cell in enumerate(look.live.cells)}


def _verdict_filters(look: Look, chosen: str) -> list[Context]:
    tally = look.tally
    filters = [{"label": "All", "count": tally.get("instances", 0), "url": look.url("transfer"), "current": not chosen}]
    if not look.is_over:
        return filters
    for verdict in (InstanceVerdict.REFUTED, InstanceVerdict.UNPROVEN, InstanceVerdict.CONFIRMED):
        if count := tally.get(verdict, 0):
            url = look.url("transfer", verdict=verdict.value)
            filters.append(
                {"label": verdict.value.capitalize(), "count": count, "url": url, "current": chosen == verdict}
            )
    return filters


def _page_url(look: Look, kept: Mapping[str, str], from_position: int | None) -> str:
    if from_position is None:
        return ""
    return look.url("transfer", **kept, **({"from": str(from_position + 1)}))


def _position(first: int, last: int) -> str:
    return f"no. {first + 1:,} to {last + 1:,}"


_OF_FRAGMENT: Mapping[str, Callable[[Look], Context]] = {
    "heading": _heading,
    "summary": _summary,
    "commitment": _commitment,
    "jobs": jobs_context,
    "grid": _grid,
    "failures": _failures,
    "attempts": _attempts,
    "again": again_of,
    "verdicts": _verdicts,
    "receipt": _receipt,
    "timeline": _timeline,
}
