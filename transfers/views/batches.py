"""What was submitted in one go: how far it is, what was found before sending, and what became of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from transfers import submissions
from transfers.batch_queue import BatchHasMoved
from transfers.models import Batch
from transfers.queue import TransferIsHeld
from transfers.services import NothingToCancel
from transfers.views.batch_context import batch_context
from transfers.views.submissions import operator_of, see_other

FRAGMENT = "batch"


@require_GET
def batch_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The page; for htmx what changes of it."""
    is_fragment = bool(getattr(request, "htmx", None)) and request.htmx.target == FRAGMENT  # type: ignore[attr-defined]
    context = batch_context(_batch(public_id), _number(request.GET.get("page")), timezone.now())
    response = render(request, "submissions/_batch.html" if is_fragment else "submissions/batch.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
def start(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Send a draft."""
    operator_of(request)
    try:
        submissions.start(_batch(public_id), send_what_can="send_what_can" in request.POST)
    except (BatchHasMoved, TransferIsHeld) as error:
        messages.error(request, str(error))
    return see_other(reverse("batch", args=[public_id]))


@require_POST
def discard(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Decide against it: nothing of it is sent."""
    operator_of(request)
    try:
        submissions.discard(_batch(public_id))
    except (BatchHasMoved, NothingToCancel, TransferIsHeld) as error:
        messages.error(request, str(error))
    return see_other(reverse("batch", args=[public_id]))


def _batch(public_id: UUID) -> Batch:
    return get_object_or_404(Batch.objects.select_related("created_by", "destination", "source"), public_id=public_id)


def _number(text: str | None) -> int:
    """Of a page, from 1."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 6 and int(text) else 1
