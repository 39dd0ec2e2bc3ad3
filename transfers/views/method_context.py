"""What the page of a new transfer shows of the methods: those that fit, the best verdict of each, and one to take."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from transfers.aliases import Alias
from transfers.feasibility import FILES
from transfers.fitting import Fit, Known, Way, fits_of
from transfers.methods import METHODS
from transfers.models import Destination, Source
from transfers.passwords import PasswordUnreadable
from transfers.submission_form import SubmissionForm, option_name
from transfers.verification import Level
from transfers.views.source_context import aliases_at

Context = dict[str, Any]
ALIAS = "alias"
_STREAMED = "streamed (ChunkedTransfers)"
_IN_ONE_BODY = "as one body of up to 2 GB (no ChunkedTransfers)"


def methods_context(form: SubmissionForm, destination: Destination | None, source: Source | None) -> Context:
    """For `submissions/_methods.html`. Where they belong to a source, it is asked for its aliases."""
    if destination is None:
        return {"methods": _of_any(form, source), "method_options": [], "fitting": None}
    fits = fits_of(_way(form, destination, source), _known(destination, source) if source else None)
    chosen = form["method"].value() or ""
    return {
        "methods": [_recommended(fits[0], chosen), *(_choice(fit, chosen) for fit in fits)],
        "method_options": [_options(form, fit) for fit in fits if not fit.why_not and fields(METHODS[fit.key].Options)],
        "fitting": {"source": source.name if source else "", "destination": destination.name},
    }


def _way(form: SubmissionForm, destination: Destination, source: Source | None) -> Way:
    verify = str(form["verify"].value() or "")
    return Way(
        source=source.kind if source else FILES,
        destination=destination.kind,
        policy=destination.policy,
        verify=verify if verify in set(Level) else destination.verify,
        offers_commitment=destination.offers_commitment,
        asks_commitment=bool(form["asks_commitment"].value()) and destination.kind == "dicom",
    )


def _known(destination: Destination, source: Source) -> Known | None:
    aliases, why_unknown = aliases_at(source)
    try:
        return Known(destination.endpoint, aliases, why_unknown)
    except PasswordUnreadable:
        return None


def _of_any(form: SubmissionForm, source: Source | None) -> list[Context]:
    """Before there is a destination: all that can send from there."""
    kind, chosen = source.kind if source else FILES, form["method"].value() or ""
    first = _plain("", "What fits the destination", "Choose where to send it: the methods that fit are shown then.")
    every = [
        _plain(key, method.label, f"What its success says: {method.sender_can_trust}")
        for key, method in METHODS.items()
        if kind in method.sources
    ]
    return [choice | {"is_chosen": choice["value"] == chosen} for choice in (first, *every)]


def _plain(value: str, label: str, text: str) -> Context:
    return {"value": value, "label": label, "lines": [text]}


def _recommended(fit: Fit, chosen: str) -> Context:
    lines = [fit.recommended_because]
    return {"value": "", "label": f"Recommended: {fit.label}", "lines": lines, "is_chosen": not chosen}


def _choice(fit: Fit, chosen: str) -> Context:
    return {
        "value": fit.key,
        "label": fit.label,
        "lines": [fit.why_not] if fit.why_not else list(_lines(fit)),
        "is_chosen": fit.key == chosen,
        "is_disabled": bool(fit.why_not),
    }


def _lines(fit: Fit) -> list[str]:
    best = f"Best verdict: {fit.best.title}."
    if fit.with_commitment is not None and fit.with_commitment != fit.best:
        best += f" If the source asks for commitment: {fit.with_commitment.title}."
    lines = [best, f"What its success says: {fit.claim}", fit.stable_study]
    if len(fit.aliases) == 1:
        lines.append(f"The source knows it as {_alias_text(fit.aliases[0])}.")
    return lines


def _options(form: SubmissionForm, fit: Fit) -> Context:
    """The aliases are chosen among those that there are."""
    names = [option_name(fit.key, option.name) for option in fields(METHODS[fit.key].Options)]
    alias = option_name(fit.key, ALIAS)
    shown = [name for name in names if name != alias]
    return {
        "label": fit.label,
        "key": fit.key,
        "fields": [form[name] for name in shown],
        "aliases": _aliases(form, alias, fit) if alias in names else None,
        "is_open": len(fit.aliases) > 1 or any(form[name].value() or _errors(form, name) for name in names),
    }


def _errors(form: SubmissionForm, name: str) -> list[str]:
    return [str(error) for error in form[name].errors] if form.is_bound else []


def _aliases(form: SubmissionForm, name: str, fit: Fit) -> Context:
    chosen = form[name].value() or ""
    return {
        "name": name,
        "errors": _errors(form, name),
        "choices": [
            {"value": each.name, "label": _alias_text(each), "is_chosen": each.name == chosen} for each in fit.aliases
        ],
        "must_choose": len(fit.aliases) > 1,
    }


def _alias_text(alias: Alias) -> str:
    text = f"{alias.name} ({alias.leads_to})"
    if alias.is_chunked is not None:
        text += (
            ", streamed (ChunkedTransfers)" if alias.is_chunked else ", one body of up to 2 GB (no ChunkedTransfers)"
        )
    if alias.is_pulled:
        text += ", fetched by the destination (RemoteSelf)"
    return text
