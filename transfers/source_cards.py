"""Sources as cards: where they are, how we get in, and what a connection test found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.urls import reverse

from transfers.aliases import Alias, AliasKind, matching
from transfers.errors import RequestError
from transfers.models import Destination, Source, Transfer
from transfers.passwords import PasswordUnreadable
from transfers.source_check import SourceCheck
from transfers.wire.orthanc_aliases import aliases_of

_WAYS = {
    AliasKind.MODALITY: "C-STORE",
    AliasKind.PEER: "Orthanc peer",
    AliasKind.SERVER: "STOW-RS",
    AliasKind.ACCELERATED_PEER: "transfers accelerator",
}


def with_use(sources: QuerySet[Source, Source]) -> QuerySet[Source, Source]:
    """Each with `transfer_count` and `last_used_at`."""
    of_one = Transfer.objects.filter(source=OuterRef("pk"))
    counted = of_one.order_by().values("source").annotate(count=Count("pk")).values("count")
    return sources.annotate(
        transfer_count=Subquery(counted), last_used_at=Subquery(of_one.order_by("-pk").values("created_at")[:1])
    )


def card_of(source: Source, *, may_edit: bool, check: dict[str, Any] | None = None) -> dict[str, Any]:
    """As `templates/sources/_card.html` wants it, of a source that came `with_use`."""
    return {
        "public_id": source.public_id,
        "name": source.name,
        "kind": source.get_kind_display(),
        "address": source.url,
        "terms": list(_terms(source)),
        "transfer_count": getattr(source, "transfer_count", None) or 0,
        "last_used_at": getattr(source, "last_used_at", None),
        "new_url": f"{reverse('new-transfer')}?source={source.name}",
        "edit_url": reverse("admin:transfers_source_change", args=[source.pk]) if may_edit else "",
        "check_url": reverse("source-check", args=[source.public_id]),
        "check": check,
    }


def check_of(source: Source, check: SourceCheck, at: datetime) -> dict[str, Any]:
    """As `templates/destinations/_check.html` wants it; its aliases are read too, and matched to our destinations."""
    tone, title = _outcome(check)
    return {
        "tone": tone,
        "title": title,
        "lines": [*check.describe(), *(_aliases(source) if check.is_ok else ())],
        "more": [],
        "at": at,
    }


def _outcome(check: SourceCheck) -> tuple[str, str]:
    if check.is_ok:
        return "success", "It answers"
    if check.report.is_reachable:
        return "error", "It is there, but does not answer as it should"
    return "error", "It does not answer"


def _aliases(source: Source) -> Iterator[str]:
    try:
        aliases = aliases_of(source.endpoint)
    except (RequestError, PasswordUnreadable) as error:
        yield f"The archives that it can send to by itself could not be read: {error}"
        return
    known = list(_known(aliases))
    yield from known
    if not known:
        yield "It cannot send by itself: no alias of it leads to one of our destinations."


def _known(aliases: tuple[Alias, ...]) -> Iterator[str]:
    for destination in Destination.objects.order_by("name"):
        try:
            found = matching(aliases, destination.endpoint)
        except PasswordUnreadable:
            continue
        if found:
            names = ", ".join(f"{alias.name} ({_WAYS[alias.kind]})" for alias in found)
            yield f"It can send to {destination.name} by itself, which it knows as {names}."


def _terms(source: Source) -> Iterator[dict[str, Any]]:
    yield {"term": "Lets us in by", "text": _credentials(source)}
    is_encrypted = source.url.lower().startswith("https:")
    yield {
        "term": "TLS",
        "text": f"{source.tls_minimum_version} or newer" if is_encrypted else "no: what is read can be read on the way",
    }
    yield {"term": "Requests", "text": f"up to {source.connections} side by side"}


def _credentials(source: Source) -> str:
    ways = {
        f"user name {source.username} and password": bool(source.username),
        "a bearer token": bool(source.bearer_token_encrypted),
        "OAuth 2.0": bool(source.oauth2_token_url),
        "headers of its own": bool(source.headers_encrypted),
        "a client certificate": bool(source.tls_certificate_file),
    }
    return ", ".join(way for way, is_set in ways.items() if is_set) or "nothing: it asks for no credentials"
