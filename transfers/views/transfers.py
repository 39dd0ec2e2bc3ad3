"""The list of transfers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from audit.judgements import StudyVerdict
from transfers.forms import TransferFilterForm
from transfers.listing import (
    ATTENTION,
    PAGE_ROWS,
    Page,
    Show,
    count_by_verdict,
    count_missing,
    count_needing_attention,
    count_overdue,
    count_running,
    matching,
    page_of,
)
from transfers.rows import rows_of

FRAGMENT = "transfers"
PAGING = ("before", "after")
"""`before`: what is older than that transfer; `after`: what is newer."""


@require_GET
def transfer_list(request: HttpRequest) -> HttpResponse:
    """The page; for htmx the rows alone."""
    now = timezone.now()
    form = TransferFilterForm(request.GET)
    filters = form.filters()
    page = page_of(
        matching(filters), older_than=_id(request.GET.get("before")), newer_than=_id(request.GET.get("after"))
    )
    context = _rows_context(request, page, now)
    if getattr(request, "htmx", None) and request.htmx.target == FRAGMENT:  # type: ignore[attr-defined]
        response = render(request, "transfers/_rows.html", context)
    else:
        counts = _counts(now)
        context |= {
            "tiles": _tiles(counts, request.GET, now),
            "quick_filters": _quick_filters(filters.show, counts),
            "filter_form": form,
            "filters_are_open": any(request.GET.get(name) for name in form.fields if name not in {"q", "show"}),
        }
        response = render(request, "transfers/list.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _rows_context(request: HttpRequest, page: Page, now: datetime) -> dict[str, Any]:
    kept = [(name, value) for name, values in request.GET.lists() if name not in PAGING for value in values if value]
    return {
        "rows": rows_of(page.transfers, now),
        "list_url": request.get_full_path(),
        "previous_url": _url(request, [*kept, ("after", str(page.newer_than))]) if page.newer_than else "",
        "next_url": _url(request, [*kept, ("before", str(page.older_than))]) if page.older_than else "",
        "position": f"{PAGE_ROWS} a page" if page.newer_than or page.older_than else "",
        "filters_are_set": bool(kept),
        "clear_url": request.path,
    }


def _counts(now: datetime) -> Mapping[str, int]:
    """The numbers above the list, by verdict and by quick filter."""
    by_verdict = count_by_verdict(now)
    by_filter = {
        Show.ATTENTION: count_needing_attention(by_verdict),
        Show.RUNNING: count_running(),
        Show.OVERDUE: count_overdue(),
        Show.MISSING: count_missing(),
    }
    return {**by_verdict, **{show.value: count for show, count in by_filter.items()}}


def _tiles(counts: Mapping[str, int], chosen: QueryDict, now: datetime) -> list[dict[str, Any]]:
    """Each leads to what it counts."""
    today = {"verdict": StudyVerdict.COMMITTED.value, "since": now.astimezone(UTC).date().isoformat()}
    tiles = [_tile(StudyVerdict.COMMITTED, "committed today", counts, today, chosen)]
    for verdict in ATTENTION:
        query = {"show": Show.ATTENTION.value, "verdict": verdict.value}
        tiles.append(_tile(verdict, verdict.replace("-", " "), counts, query, chosen))
    missing = _tile(Show.MISSING, "missing again", counts, {"show": Show.MISSING.value}, chosen)
    tiles.append(missing | {"icon": "warning", "tone": "nothing-stored"})
    running = _tile(Show.RUNNING, "running", counts, {"show": Show.RUNNING.value}, chosen)
    return [*tiles, running | {"icon": "pending", "tone": ""}]


def _tile(key: str, label: str, counts: Mapping[str, int], query: dict[str, str], chosen: QueryDict) -> dict[str, Any]:
    return {
        "key": key,
        "label": label,
        "count": counts.get(key, 0),
        "tone": key,
        "icon": key,
        "url": f"?{urlencode(query)}",
        "current": all(chosen.getlist(name) == [value] for name, value in query.items()),
    }


_QUICK_FILTERS: Mapping[Show, str] = {
    Show.ATTENTION: "Needs attention",
    Show.RUNNING: "Running",
    Show.OVERDUE: "Overdue",
    Show.MISSING: "Missing again",
}
_TOLD = frozenset({Show.RUNNING, Show.OVERDUE, Show.MISSING})
"""Of these the websocket tells the number."""


def _quick_filters(chosen: Show, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    every = {"label": "All", "url": "?", "current": chosen is Show.ALL}
    return [every, *(_quick_filter(show, chosen, counts[show]) for show in _QUICK_FILTERS)]


def _quick_filter(show: Show, chosen: Show, count: int) -> dict[str, Any]:
    return {
        "label": _QUICK_FILTERS[show],
        "count": count,
        "key": show.value if show in _TOLD else "",
        "url": f"?show={show}",
        "current": chosen is show,
    }


def _url(request: HttpRequest, parameters: list[tuple[str, str]]) -> str:
    return f"{request.path}?{urlencode(parameters)}"


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
