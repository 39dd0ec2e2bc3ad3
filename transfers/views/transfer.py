"""The page of one transfer, its fragments, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from transfers import services
from transfers.models import Transfer
from transfers.permissions import may_operate
from transfers.queue import TransferIsHeld
from transfers.views.transfer_context import FRAGMENTS, fragment_context, instances_context, page_context

Act = Callable[[Transfer, str], None]


@require_GET
def transfer_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The page; for htmx the table of instances alone."""
    transfer = _transfer(public_id)
    if getattr(request, "htmx", None) and request.htmx.target == "instances":  # type: ignore[attr-defined]
        response = render(request, "transfers/_instances.html", instances_context(transfer, request))
    else:
        response = render(request, "transfers/detail.html", page_context(transfer, request, timezone.now()))
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
def transfer_fragment(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    """One part of the page, for htmx to put in the place of an older one."""
    if name not in FRAGMENTS:
        return HttpResponse(status=404)
    context = fragment_context(_transfer(public_id), name, request, timezone.now())
    response = render(request, f"transfers/_{name}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    done = "Cancel was asked for: nothing new is sent, and the destination is asked what arrived."
    return _act(request, public_id, services.cancel, done)


@require_POST
def retry(request: HttpRequest, public_id: UUID) -> HttpResponse:
    done = "To be sent again: what is not proved to be there, and nothing else."
    return _act(request, public_id, lambda transfer, _by: services.retry(transfer), done)


@require_POST
def verify(request: HttpRequest, public_id: UUID) -> HttpResponse:
    done = "The destination will be asked again; nothing is sent."
    return _act(request, public_id, lambda transfer, _by: services.reverify(transfer, "presence"), done)


def _act(request: HttpRequest, public_id: UUID, act: Act, done: str) -> HttpResponseRedirect:
    """Do it, and go to the page of the transfer, which says what came of it."""
    if not may_operate(request.user):
        raise PermissionDenied
    transfer = _transfer(public_id)
    try:
        act(transfer, request.user.get_username())
    except TransferIsHeld:
        messages.error(request, "A process works on this transfer just now: look again in a moment.")
    except (services.NothingToRetry, services.NothingToCancel, services.DestinationMoved) as error:
        messages.error(request, str(error) or " ".join((error.__doc__ or "").split()))
    else:
        messages.success(request, done)
    return redirect("transfer", public_id=public_id)


def _transfer(public_id: UUID) -> Transfer:
    related = ("destination", "audit", "batch", "batch__created_by")
    return get_object_or_404(Transfer.objects.select_related(*related), public_id=public_id)
