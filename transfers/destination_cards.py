"""Destinations as cards: where they are, what is declared of them, and what a connection test found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.urls import reverse

from transfers.ceilings import Ceiling, ceiling
from transfers.destination_check import DestinationCheck
from transfers.methods import METHODS
from transfers.models import Destination, Transfer
from transfers.verification import ALL, Level, Verification
from transfers.wording import duration_text

VERIFY_WORDS = {
    Level.NONE: "no",
    Level.PRESENCE: "yes, for the list of instances ({by})",
    Level.CONTENT: "yes, for the list of instances ({by}); {share} read back and compared",
}
_LISTED_BY = {"dicom": "C-FIND", "dicomweb": "QIDO-RS", "orthanc": "Orthanc’s REST API"}


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
        "address": _address(destination),
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
    asks_commitment = METHODS[method].asks_commitment
    return ceiling(method, destination.policy, destination.verify, asks_commitment=asks_commitment)


def check_of(check: DestinationCheck, at: datetime) -> dict[str, Any]:
    """As `templates/destinations/_check.html` wants it."""
    own, others = check.own, check.others
    tone, title = _outcome(check)
    said = [f"{side.destination}: {line}" for side in others for line in side.describe_answers()]
    return {
        "tone": tone,
        "title": title,
        "lines": [*own.describe_answers(), *said],
        "more": own.describe_accepted(),
        "at": at,
    }


def _outcome(check: DestinationCheck) -> tuple[str, str]:
    own = check.own.report
    if not own.is_ok:
        return "error", "It is there, but does not answer as it should" if own.is_reachable else "It does not answer"
    if silent := [side.destination.name for side in check.others if not side.report.is_ok]:
        return "warning", f"It answers, but not by {' and '.join(silent)}, where it is asked too"
    if check.own.destination.verify != Level.NONE and not check.can_be_listed:
        return "warning", "It answers, but cannot be asked afterwards what arrived"
    if check.own.breaks_its_word:
        return "warning", "It answers, but takes no requests for Storage Commitment"
    return "success", "It answers"


def verify_words(verify: str, sides: Sequence[Destination]) -> str:
    """How an archive is asked once everything was sent, by these sides of it."""
    asked = Verification.parse(verify)
    share = "every instance is" if asked.sample_percent == ALL else f"{asked.sample_percent} % of them are"
    by = ", else ".join(dict.fromkeys(_LISTED_BY[side.kind] for side in sides))
    return VERIFY_WORDS[asked.level].format(by=by, share=share)


def _address(destination: Destination) -> str:
    return f"{destination.host}:{destination.port}" if destination.kind == "dicom" else destination.url


def _terms(destination: Destination) -> Iterator[dict[str, Any]]:
    is_dicom = destination.kind == "dicom"
    others = list(destination.ask_at.all())
    if is_dicom:
        yield {"term": "Called AE title", "text": destination.called_ae_title.strip(), "is_code": True}
        yield {"term": "Calling AE title", "text": destination.own_ae_title, "is_code": True}
    elif destination.username:
        yield {"term": "User name", "text": destination.username, "is_code": True}
        yield {"term": "Password", "text": "set" if destination.password_encrypted else "none"}
    yield {"term": "TLS", "text": _tls(destination)}
    side_by_side = f"up to {destination.associations} side by side"
    yield {"term": "Associations" if is_dicom else "Requests", "text": side_by_side}
    if others:
        yield {"term": "The same archive", "text": ", ".join(side.name for side in others)}
    yield {"term": "Asked afterwards", "text": verify_words(destination.verify, [destination, *others])}
    if destination.offers_commitment:
        patience = duration_text(destination.commitment_timeout_seconds)
        asked = f"asked for, {destination.commitment_batch_size:,} instances at a time; a report may take {patience}"
        yield {"term": "Storage Commitment", "text": asked}
    if days := destination.days_until_reverification:
        after = f"{', '.join(map(str, days))} {'day' if days == (1,) else 'days'} after a study was committed"
        yield {"term": "Asked again", "text": after}
    on_its_word = "proof: it is declared to answer only after saving" if _trusts(destination) else "no proof"
    yield {"term": "Acknowledgement", "text": on_its_word}
    if destination.same_uid_means_same_content:
        yield {"term": "Same UID", "text": "taken to mean the same content, also of what was there before"}


def _tls(destination: Destination) -> str:
    is_dicom = destination.kind == "dicom"
    if not destination.tls_enabled if is_dicom else not destination.url.lower().startswith("https:"):
        return f"no: what is {'sent' if is_dicom else 'asked'} can be read on the way"
    checks = "" if destination.tls_check_hostname else ", without checking the host name"
    shows = ", with a client certificate" if destination.tls_certificate_file else ""
    return f"{destination.tls_minimum_version} or newer{shows}{checks}"


def _trusts(destination: Destination) -> bool:
    return destination.acknowledgement_means_stored
