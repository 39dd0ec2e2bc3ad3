"""What the templates of a transfer's page are given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from audit.cells import Cell
from audit.chunks import CHUNK_ROWS
from audit.contradictions import Contradiction, contradictions_of
from audit.judgements import Ground, InstanceVerdict
from audit.live import LiveAudit
from audit.plain_words import GROUND_WORDS
from audit.reports import reason_for
from audit.tallies import count_rows
from transfers import services
from transfers.contradictions import contradiction_lines, contradiction_text
from transfers.failures import failures_of
from transfers.finding_groups import finding_text
from transfers.forms import InstanceFilterForm
from transfers.funnel import Asked, steps_of
from transfers.instance_listing import InstanceFilters, Series, matching, page_of, rows_of, series_of
from transfers.lanes import Sending, StateChange, lanes_of
from transfers.models import Transfer
from transfers.rows import chip_of, title_of
from transfers.settings_used import proves_of, settings_of
from transfers.states import HELD, State
from transfers.timeline import tell
from transfers.views.grid_context import grid_context
from transfers.wording import count_text, duration_text, method_text, size_text

Context = dict[str, Any]
FRAGMENTS = ("heading", "summary", "grid", "failures", "attempts", "receipt", "timeline")
EVENTS_SHOWN = 200
_OPEN_VERDICTS = {Cell.REFUTED.value: InstanceVerdict.REFUTED.value}


class Look:
    """One look at a transfer: what several fragments need is read once."""

    def __init__(self, transfer: Transfer, request: HttpRequest, now: datetime) -> None:
        self.transfer, self.request, self.now = transfer, request, now
        self.state = State(transfer.state)
        self.is_over = transfer.audit.is_sealed
        self._live: LiveAudit | None = None

    @property
    def live(self) -> LiveAudit:
        if self._live is None:
            self._live = LiveAudit(self.transfer.audit_id)
        return self._live

    @cached_property
    def asked_to_commit(self) -> bool:
        """Whether the destination was, or will be."""
        return self.transfer.asks_commitment or self.transfer.commitment_requests.exists()

    @cached_property
    def series(self) -> list[Series]:
        return series_of(self.transfer.audit)

    def series_at(self, positions: Collection[int]) -> Mapping[int, int]:
        """The numbers of the series that these are of; nothing where there is but one, or for too many to ask about."""
        if self.transfer.series < 2 or len(positions) > CHUNK_ROWS:
            return {}
        numbers = {each.uid: number for number, each in enumerate(self.series, 1)}
        rows = self.transfer.audit.instances.filter(position__in=positions)
        return {at: numbers[uid] for at, uid in rows.values_list("position", "series_instance_uid")}

    @property
    def tally(self) -> Mapping[str, int]:
        audit = self.transfer.audit
        if audit.is_sealed:
            return audit.tally or count_rows(audit)
        return self.live.tally

    def url(self, name: str, **query: str) -> str:
        address = reverse(name, args=[self.transfer.public_id])
        return f"{address}?{urlencode(query)}" if query else address

    def fragment_url(self, name: str) -> str:
        return reverse("transfer-fragment", args=[self.transfer.public_id, name])

    def instances_url(self, query: Mapping[str, str]) -> str:
        return f"{self.url('transfer', **query)}#instances"


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
        "destination_url": f"{reverse('destinations')}#destination-{transfer.destination.name}",
        "method": method_text(transfer.method) if transfer.method else "",
        "started_at": transfer.created_at,
        "duration": _duration(transfer),
        "batch_url": f"/batches/{batch.public_id}/" if batch else "",
        "actions": _actions(look),
    }


def _duration(transfer: Transfer) -> str:
    if transfer.finished_at is None:
        return ""
    return duration_text((transfer.finished_at - transfer.created_at).total_seconds())


def _actions(look: Look) -> Context:
    transfer, state = look.transfer, look.state
    if not state.is_terminal:
        is_asked = transfer.cancel_requested_at is not None
        actions: Context = {} if is_asked else {"cancel_url": look.url("transfer-cancel")}
    else:
        actions = {"verify_url": look.url("transfer-verify")}
    resend = services.preview_retry(transfer)
    if resend.instances:
        word = "Resume: send" if not transfer.audit.is_sealed else "Resend"
        lacking = _lacking(look.tally, resend.instances)
        label = f"{word} the {resend.instances:,} {lacking} ({size_text(resend.size_bytes)})"
        actions |= {"retry_url": look.url("transfer-retry"), "retry_label": label}
    return actions


def _lacking(tally: Mapping[str, int], instances: int) -> str:
    """What is refuted is missing; with what is only unproven among it, all that can be said is: not proven."""
    return "missing" if tally.get("refuted", 0) == instances else "not proven"


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
        "notices": _notices(look),
    }


def _asked(look: Look) -> Asked:
    tally, verification = look.tally, look.transfer.verification
    return Asked(
        sends=look.transfer.method is not None,
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
    return f"Judged once the destination was asked about its {count}."


def _contradictions(look: Look) -> Iterator[Context]:
    audit = look.transfer.audit
    if not look.is_over or not (count := audit.instances.filter(is_contradiction=True).count()):
        return
    yield {
        "tone": "error",
        "title": f"Proofs contradict each other for {count_text(count, 'instance')}",
        "text": "Look at the destination itself, or let the content be compared.",
        "url": look.instances_url({"contradiction": "any"}),
        "label": f"Show {count_text(count, 'instance')}",
        "lines": contradiction_lines(contradictions_of(audit).most_common(), look.instances_url),
    }


def _notices(look: Look) -> list[Context]:
    transfer = look.transfer
    notices = [*_contradictions(look)]
    if transfer.cancel_requested_at and not look.state.is_terminal:
        text = "Nothing new is sent. The destination is asked what arrived, then this is judged."
        notices.append({"tone": "warning", "title": "Cancel was asked for", "text": text})
    if look.state is State.DRAFT and transfer.batch:
        text = "Start or discard it on the page of what was submitted together."
        notices.append({"tone": "info", "title": "A draft: nothing was sent yet", "text": text})
    if left_out := transfer.audit.files_left_out:
        text = "They could not be read and are not part of this transfer; what was submitted together lists them."
        notices.append({"tone": "warning", "title": f"{count_text(left_out, 'file')} left out", "text": text})
    return notices


def _grid(look: Look) -> Context:
    opens_at = f"{look.url('transfer')}?from="
    return {"grid": grid_context(look.live.cells, look.instances_url, opens_at, look.series_at)}


def _failures(look: Look) -> Context:
    if not look.is_over:
        return {"failures": []}
    audit, commits = look.transfer.audit, look.asked_to_commit
    return {"failures": failures_of(audit, look.instances_url, asked_to_commit=commits)}


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
        words.append(
            f"last answered with {filters.code}" if filters.code.startswith("0x") else f"reason {filters.code}"
        )
    return ", ".join(words)


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
    "grid": _grid,
    "failures": _failures,
    "attempts": _attempts,
    "receipt": _receipt,
    "timeline": _timeline,
}
