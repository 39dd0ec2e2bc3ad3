"""Destinations as cards: where they are, what is declared of them, and what a connection test found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.urls import reverse

from transfers.ceilings import Ceiling, ceiling
from transfers.connections import describe_accepted, describe_answers
from transfers.methods import METHODS
from transfers.models import Destination, Transfer
from transfers.wire.connection_test import ConnectionReport

VERIFY_WORDS = {
    "none": "no",
    "presence": "yes, for the list of instances (C-FIND)",
}


def with_use(destinations: QuerySet[Destination, Destination]) -> QuerySet[Destination, Destination]:
    """Each with `transfer_count` and `last_used_at`, which the index of a destination's transfers answers."""
    of_one = Transfer.objects.filter(destination=OuterRef("pk"))
    counted = of_one.order_by().values("destination").annotate(count=Count("pk")).values("count")
    newest = of_one.order_by("-pk").values("created_at")[:1]
    return destinations.annotate(transfer_count=Subquery(counted), last_used_at=Subquery(newest))


def card_of(destination: Destination, *, may_edit: bool, check: dict[str, Any] | None = None) -> dict[str, Any]:
    """As `templates/destinations/_card.html` wants it, of a destination that came `with_use`."""
    best = ceiling_at(destination)
    edit_url = reverse("admin:transfers_destination_change", args=[destination.pk]) if may_edit else ""
    return {
        "public_id": destination.public_id,
        "name": destination.name,
        "kind": destination.get_kind_display(),
        "address": destination.url or f"{destination.host}:{destination.port}",
        "best": best.title,
        "proves": best.sentence,
        "terms": list(_terms(destination)),
        "transfer_count": getattr(destination, "transfer_count", None) or 0,
        "last_used_at": getattr(destination, "last_used_at", None),
        "transfers_url": f"{reverse('transfers')}?{urlencode({'destination': destination.name})}",
        "edit_url": edit_url,
        "check_url": reverse("destination-check", args=[destination.public_id]),
        "check": check,
    }


def ceiling_at(destination: Destination) -> Ceiling:
    """The best that the method that fits a destination can prove there, as it is set."""
    method = destination.default_method
    asks_commitment = method is not None and METHODS[method].asks_commitment
    return ceiling(method, destination.policy, destination.verify, asks_commitment=asks_commitment)


def check_of(report: ConnectionReport, destination: Destination, at: datetime) -> dict[str, Any]:
    """As `templates/destinations/_check.html` wants it."""
    cannot_be_asked = destination.verify != "none" and not report.can_be_listed
    if not report.is_ok:
        tone = "error"
        title = "It is there, but does not answer as it should" if report.is_reachable else "It does not answer"
    elif cannot_be_asked:
        tone, title = "warning", "It answers, but cannot be asked afterwards what arrived"
    else:
        tone, title = "success", "It answers"
    return {
        "tone": tone,
        "title": title,
        "lines": list(describe_answers(report)),
        "more": list(describe_accepted(report)),
        "at": at,
    }


def _terms(destination: Destination) -> Iterator[dict[str, Any]]:
    if destination.kind == "dicom":
        yield {"term": "Called AE title", "text": destination.called_ae_title.strip(), "is_code": True}
        yield {"term": "Calling AE title", "text": destination.own_ae_title, "is_code": True}
    elif destination.username:
        yield {"term": "User name", "text": destination.username, "is_code": True}
    yield {"term": "TLS", "text": _tls(destination)}
    yield {"term": "Associations", "text": f"up to {destination.associations} side by side"}
    yield {"term": "Asked afterwards", "text": VERIFY_WORDS.get(destination.verify, destination.verify)}
    on_its_word = "proof: it is declared to answer only after saving" if _trusts(destination) else "no proof"
    yield {"term": "Acknowledgement", "text": on_its_word}
    if destination.same_uid_means_same_content:
        yield {"term": "Same UID", "text": "taken to mean the same content, also of what was there before"}


def _tls(destination: Destination) -> str:
    if not destination.tls_enabled:
        return "no: what is sent can be read on the way"
    checks = "" if destination.tls_check_hostname else ", without checking the host name"
    shows = ", with a client certificate" if destination.tls_certificate_file else ""
    return f"{destination.tls_minimum_version} or newer{shows}{checks}"


def _trusts(destination: Destination) -> bool:
    return destination.acknowledgement_means_stored
