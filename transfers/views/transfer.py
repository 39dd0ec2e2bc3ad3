"""The page of one transfer, its fragments, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from transfers import services
from transfers.feasibility import NotFeasible
from transfers.forms import VerifyForm
from transfers.models import Transfer
from transfers.permissions import may_operate
from transfers.queue import TransferIsHeld
from transfers.rollback import CannotRollBack
from transfers.submissions import NothingIsNew, send_what_is_new
from transfers.views.submissions import operator_of
from transfers.views.transfer_actions import roll_back_context
from transfers.views.transfer_context import FRAGMENTS, fragment_context, instances_context, page_context

Act = Callable[[Transfer, str], None]
_BUSY = "A process works on this transfer just now: look again in a moment."
NOT_OFFERED = "This destination is not set to offer Storage Commitment: change that in its settings, if it does."
_REFUSALS = (
    services.NothingToRetry,
    services.NothingToCancel,
    services.DestinationMoved,
    CannotRollBack,
    NotFeasible,
)


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
    """Here, or at another destination: that becomes a transfer of its own."""
    _check_may_operate(request)
    transfer = _transfer(public_id)
    form = VerifyForm(request.POST, transfer=transfer)
    if not form.is_valid():
        return _refuse(request, transfer, " ".join(str(text) for texts in form.errors.values() for text in texts))
    asked = form.cleaned_data
    if asked["destination"] != transfer.destination:
        return _verify_elsewhere(request, transfer, asked)

    def act(transfer: Transfer, by: str) -> None:
        services.reverify(transfer, asked["verify"], asks_commitment=asked["asks_commitment"], by=by)

    return _act(request, public_id, act, "The destination will be asked again; nothing is sent.")


@require_POST
def ask_to_commit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Again, or for the first time; presence or content is asked as it was before."""

    def act(transfer: Transfer, by: str) -> None:
        if not transfer.destination.offers_commitment:
            raise NotFeasible("asks_commitment", NOT_OFFERED)
        services.reverify(transfer, transfer.verify, asks_commitment=True, by=by)

    return _act(request, public_id, act, "The destination will be asked to commit; nothing is sent.")


@require_http_methods(["GET", "POST"])
def roll_back(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Ask first, and say what exactly would be removed; then remove it."""
    if request.method == "POST":
        done = "To be removed again: what this transfer brought there, and nothing else."
        return _act(request, public_id, _roll_back, done)
    _check_may_operate(request)
    transfer = _transfer(public_id)
    return render(request, "transfers/roll_back.html", roll_back_context(transfer))


@require_POST
def send_new(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Submit the study anew, as its source holds it now; that becomes a transfer of its own."""
    user, transfer = operator_of(request), _transfer(public_id)
    try:
        batch = send_what_is_new(transfer, user)
    except (NothingIsNew, services.DestinationMoved, NotFeasible) as error:
        return _refuse(request, transfer, str(error))
    return redirect("batch", public_id=batch.public_id)


@require_POST
def alarm_seen(request: HttpRequest, public_id: UUID) -> HttpResponse:
    return _act(request, public_id, services.note_alarm_seen, "Noted. What is proved of it stays as it is.")


def _roll_back(transfer: Transfer, by: str) -> None:
    services.preview_roll_back(transfer)
    services.roll_back(transfer, by)


def _verify_elsewhere(request: HttpRequest, transfer: Transfer, asked: Mapping[str, Any]) -> HttpResponseRedirect:
    if not transfer.audit.is_sealed:
        return _refuse(request, transfer, _BUSY)
    destination, verify = asked["destination"], asked["verify"]
    commits = asked["asks_commitment"]
    by = request.user.get_username()
    inquiry = services.inquire_elsewhere(transfer, destination, verify=verify, asks_commitment=commits, by=by)
    messages.success(request, f"{destination} will be asked whether it holds the same study; nothing is sent.")
    return redirect("transfer", public_id=inquiry.public_id)


def _act(request: HttpRequest, public_id: UUID, act: Act, done: str) -> HttpResponseRedirect:
    """Do it, and go to the page of the transfer, which says what came of it."""
    _check_may_operate(request)
    transfer = _transfer(public_id)
    try:
        act(transfer, request.user.get_username())
    except TransferIsHeld:
        return _refuse(request, transfer, _BUSY)
    except _REFUSALS as error:
        return _refuse(request, transfer, str(error) or " ".join((error.__doc__ or "").split()))
    messages.success(request, done)
    return redirect("transfer", public_id=public_id)


def _refuse(request: HttpRequest, transfer: Transfer, why: str) -> HttpResponseRedirect:
    messages.error(request, why)
    return redirect("transfer", public_id=transfer.public_id)


def _check_may_operate(request: HttpRequest) -> None:
    if not may_operate(request.user):
        raise PermissionDenied


def _transfer(public_id: UUID) -> Transfer:
    related = ("destination", "source", "audit", "batch", "batch__created_by")
    return get_object_or_404(Transfer.objects.select_related(*related), public_id=public_id)
