"""Which methods fit a source and a destination, what each can reach there, and which of them to take. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

from audit.judgements import Policy
from transfers.aliases import Alias, AliasKind, matching
from transfers.ceilings import Ceiling, ceiling
from transfers.endpoints import Endpoint
from transfers.methods import METHODS, default_method
from transfers.methods.base import Method
from transfers.methods.orthanc_job import OrthancJobMethod


class Way(NamedTuple):
    """From where to where, and how the destination is asked afterwards."""

    source: str
    """Of its kind: `files`, or a kind of Source."""
    destination: str
    """Of its kind."""
    policy: Policy
    verify: str
    """As `transfers.verification` spells it."""
    offers_commitment: bool = False
    asks_commitment: bool = False
    """Whether we ask the destination to commit, whatever the method is."""


class Known(NamedTuple):
    """What the source said of the archives that it can send to by itself."""

    endpoint: Endpoint
    """Of the destination."""
    aliases: Sequence[Alias] = ()
    why_unknown: str = ""
    """Why the source could not be asked; empty where it was."""


class Fit(NamedTuple):
    """A method that can send this way."""

    key: str
    label: str
    claim: str
    """What its own success says."""
    best: Ceiling
    may_trust_stable_study: bool
    """Whether the destination may, of a whole study that is found to be committed."""
    with_commitment: Ceiling | None = None
    """Where the source itself asks for commitment, if that is an option of the method."""
    needs_alias: bool = False
    aliases: tuple[Alias, ...] = ()
    """That lead to the destination."""
    why_not: str = ""
    """Why it cannot be taken now; empty where it can."""
    recommended_because: str = ""
    """Empty for all but one."""

    @property
    def stable_study(self) -> str:
        """For people."""
        return _MAY_TRUST if self.may_trust_stable_study else _MAY_NOT_TRUST


def fits_of(way: Way, known: Known | None = None) -> list[Fit]:
    """Those that can send this way, the recommended one first. `known` None: its aliases were not asked for."""
    recommended = default_method(way.destination, offers_commitment=way.offers_commitment)
    fitting = [
        method for method in METHODS.values() if way.destination in method.kinds and way.source in method.sources
    ]
    fitting.sort(key=lambda method: method.key != recommended)
    return [_fit(method, way, known, is_recommended=method.key == recommended) for method in fitting]


def commits_by_itself(options: Mapping[str, object]) -> bool:
    """Whether the source is to ask for commitment, by an option of its job."""
    return options.get(_COMMITMENT) is True


def may_ask_for_commitment(method: Method) -> bool:
    """Whether the source can be told to ask for commitment, by an option of the method."""
    return any(option.name == _COMMITMENT for option in fields(method.Options))


_COMMITMENT = "commitment"
_MAY_TRUST = "The destination may trust its StableStudy event only once the whole study is found to be committed."
_MAY_NOT_TRUST = "The destination may not trust its StableStudy event: instances arrive one by one."
_BECAUSE: Mapping[str, str] = {
    "c-store": "Every instance has an answer of its own, and several associations send side by side.",
    "c-store-commitment": "The destination offers to commit: it reports on every instance, besides being asked for "
    "its list.",
    "stow-rs": "Every instance is named in an answer of its own, and nothing has to fit into memory.",
    "orthanc-rest": "Every instance has an answer of its own, which tells what was filtered out or was there before, "
    "and files arrive as they are.",
}
_RATHER_THAN_JOB = "A job of the source names no instance that it did not send."


def _fit(method: Method, way: Way, known: Known | None, *, is_recommended: bool) -> Fit:
    asks = way.asks_commitment or method.asks_commitment
    needs_alias = isinstance(method, OrthancJobMethod)
    aliases = tuple(_aliases(method, known))
    return Fit(
        key=method.key,
        label=method.label,
        claim=method.sender_can_trust,
        best=ceiling(method.key, way.policy, way.verify, asks_commitment=asks),
        may_trust_stable_study=method.destination_may_trust_stable_study,
        with_commitment=_with_commitment(method, way, asks=asks),
        needs_alias=needs_alias,
        aliases=aliases,
        why_not=_why_not(known, aliases) if needs_alias else "",
        recommended_because=_because(method, way) if is_recommended else "",
    )


def _aliases(method: Method, known: Known | None) -> Iterator[Alias]:
    if known is None or not isinstance(method, OrthancJobMethod):
        return
    kind: AliasKind = method.alias_kind
    yield from matching((alias for alias in known.aliases if alias.kind is kind), known.endpoint)


def _why_not(known: Known | None, aliases: Sequence[Alias]) -> str:
    if known is None or aliases:
        return ""
    if known.why_unknown:
        return f"The source could not be asked for its aliases: {known.why_unknown}"
    return "No alias of the source leads to this destination: add it there, under the same address."


def _with_commitment(method: Method, way: Way, *, asks: bool) -> Ceiling | None:
    """None where it is no option, or would add nothing."""
    if asks or not may_ask_for_commitment(method):
        return None
    return ceiling(method.key, way.policy, way.verify, asks_commitment=True)


def _because(method: Method, way: Way) -> str:
    because = _BECAUSE.get(method.key, "")
    return f"{because} {_RATHER_THAN_JOB}" if way.source != "files" else because
