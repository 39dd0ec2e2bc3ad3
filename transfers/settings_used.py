"""What a transfer was done with, and what its method can prove, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transfers.ceilings import ceiling
from transfers.fitting import commits_by_itself
from transfers.methods import METHODS
from transfers.models import Transfer
from transfers.wording import count_text, duration_text, method_text


def settings_of(transfer: Transfer) -> list[dict[str, Any]]:
    """As `templates/transfers/_settings.html` wants them. What an audit weighs is as it was at that time."""
    return list(_settings(transfer))


def proves_of(transfer: Transfer) -> list[dict[str, str]]:
    """As `templates/transfers/_proves.html` wants them."""
    policy = transfer.destination.policy
    commits = transfer.asks_commitment or commits_by_itself(transfer.options)
    best = ceiling(transfer.method, policy, transfer.verify, asks_commitment=commits)
    method = METHODS.get(transfer.method or "")
    may_trust = method is not None and method.destination_may_trust_stable_study
    on_its_word = transfer.audit.acknowledgement_means_stored
    return [
        {"term": "Best verdict", "text": f"{best.title}. {best.sentence}"},
        {
            "term": "StableStudy",
            "text": "may be trusted by the destination, if the study is committed"
            if may_trust
            else "cannot be trusted by the destination: the study arrives instance by instance",
        },
        {
            "term": "On its word",
            "text": "taken: it is declared to answer only after saving"
            if on_its_word
            else "not taken: an acknowledgement alone is no proof here",
        },
    ]


def _settings(transfer: Transfer) -> Iterator[dict[str, Any]]:
    destination, audit = transfer.destination, transfer.audit
    is_dicom = destination.kind == "dicom"
    yield from _source(transfer)
    yield _code("Address", audit.destination_address)
    if audit.destination_address != destination.address:
        yield _text("Since then", f"the destination was pointed to {destination.address}")
    if is_dicom:
        yield _code("Calling AE title", destination.own_ae_title)
    yield _text("Method", method_text(transfer.method))
    for name, value in transfer.options.items():
        yield _text(f"Option {name}", _option_text(value))
    side_by_side = next((transfer.options[each] for each in _SIDE_BY_SIDE if transfer.options.get(each)), None)
    yield _text("Associations" if is_dicom else "Requests", str(side_by_side or destination.associations))
    settles = f", after up to {destination.presence_settle_seconds:g} s to settle"
    yield _text("Verify", transfer.verify + (settles if transfer.verify != "none" else ""))
    if transfer.asks_commitment:
        patience = transfer.options.get("commitment_timeout_seconds") or destination.commitment_timeout_seconds
        yield _text("Storage commitment", f"asked for; the report may take {duration_text(patience)}")
    if transfer.method:
        yield _text("All or nothing", "yes" if transfer.rolls_back else "no")
    is_encrypted = destination.tls_enabled if is_dicom else destination.url.lower().startswith("https:")
    yield _text("TLS", f"{destination.tls_minimum_version} or newer" if is_encrypted else "no")
    timeouts = destination.timeouts
    yield _text(
        "Time-outs",
        f"connect {timeouts.connect_seconds:g} s, ACSE {timeouts.acse_seconds:g} s, "
        f"DIMSE {timeouts.dimse_seconds:g} s, network {timeouts.network_seconds:g} s",
    )
    yield _text("Send what can be sent", "yes" if transfer.send_what_can else "no")
    yield _text("Same UID means same content", "yes" if audit.same_uid_means_same_content else "no")
    yield _text("Submitted by", _by(transfer))


_SIDE_BY_SIDE = ("associations", "requests", "threads")
"""How the options of methods call it."""


def _source(transfer: Transfer) -> Iterator[dict[str, Any]]:
    if transfer.source is None:
        return
    yield _code("Source", transfer.source.url)
    if transfer.batch and transfer.batch.waits_until_stable:
        yield _text("Before", "waited until the source called the study stable")
    if transfer.source_asked_at is None:
        return
    grown_by = transfer.source_grown_by
    found = "could not be asked" if grown_by is None else f"{count_text(grown_by, 'instance')} more" if grown_by else ""
    yield _text("Source asked again", found or "nothing has come to it since the manifest")


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _by(transfer: Transfer) -> str:
    if transfer.batch:
        return str(transfer.batch.created_by.get_username())
    created = transfer.events.filter(name="created").first()
    return (created.detail.get("by") if created else "") or "the command line"


def _text(term: str, text: str) -> dict[str, Any]:
    return {"term": term, "text": text, "is_code": False}


def _code(term: str, text: str) -> dict[str, Any]:
    return {"term": term, "text": text, "is_code": True}
