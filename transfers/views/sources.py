"""The page of sources, and the test of a connection."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from transfers.models import Source
from transfers.permissions import may_operate
from transfers.source_cards import card_of, check_of, with_use
from transfers.source_check import check_source


@require_GET
def source_list(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
def check(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask the source now; for htmx only what came of it, else the page with that in its card."""
    if not may_operate(request.user):
        raise PermissionDenied
    source = get_object_or_404(Source, public_id=public_id)
    found = check_of(source, check_source(source), timezone.now())
    if getattr(request, "htmx", None):
        response = render(request, "destinations/_check.html", {"check": found})
    else:
        response = _page(request, {source.pk: found})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _page(request: HttpRequest, checks: dict[int, dict[str, Any]] | None = None) -> HttpResponse:
    may_edit = request.user.is_staff and request.user.has_perm("transfers.change_source")
    may_add = request.user.is_staff and request.user.has_perm("transfers.add_source")
    cards = [
        card_of(source, may_edit=may_edit, check=(checks or {}).get(source.pk))
        for source in with_use(Source.objects.order_by("name"))
    ]
    add_url = reverse("admin:transfers_source_add") if may_add else ""
    return render(request, "sources/list.html", {"sources": cards, "add_url": add_url})
