"""The names under which a source Orthanc knows other archives, matched by address to our destinations. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, HttpEndpoint, OrthancEndpoint
from transfers.errors import AliasAmbiguous, AliasLeadsElsewhere, AliasUnknown

MOST_NAMED = 10
_HERE = "localhost"
_OF_SEGMENTS = "!$&'()*+,;=:@"
"""Characters that stand for themselves in a segment of a path (RFC 3986 3.3)."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AliasKind(StrEnum):
    """By which of its lists a source Orthanc knows the archive."""

    MODALITY = "modality"
    """`/modalities`: reached by DICOM."""
    PEER = "peer"
    """`/peers`: another Orthanc, reached by its REST API."""
    SERVER = "server"
    """`/dicom-web/servers`: reached by DICOMweb."""
    ACCELERATED_PEER = "accelerated-peer"
    """`/transfers/peers`: a peer that both reach by the transfers accelerator."""


@dataclass(frozen=True, slots=True)
class Alias:
    """One entry of such a list: where it leads, seen from here."""

    kind: AliasKind
    name: str
    """As the source spells it."""
    host: str = ""
    """Of a modality."""
    port: int = 0
    called_ae_title: str = ""
    url: str = ""
    """Of everything else."""
    is_chunked: bool | None = None
    """Of a DICOMweb server: whether the source streams to it (ChunkedTransfers), or sends one body of known length."""
    is_pulled: bool = False
    """Of an accelerated peer: whether it fetches by itself, so that the job lives there (RemoteSelf)."""

    @property
    def leads_to(self) -> str:
        """For people; without any user name or password."""
        if self.kind is AliasKind.MODALITY:
            return f"{self.called_ae_title} at {self.host}:{self.port}"
        address = _address_of_url(self.url)
        if address is None:
            return "no usable URL"
        split = urlsplit(self.url)
        return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{address.path}"


class _Address(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str
    """Of a URL percent-encoded, without slashes at its end; the AE title of DICOM."""


_KINDS: dict[type[HttpEndpoint] | type[DicomEndpoint], frozenset[AliasKind]] = {
    DicomEndpoint: frozenset({AliasKind.MODALITY}),
    OrthancEndpoint: frozenset({AliasKind.PEER, AliasKind.ACCELERATED_PEER}),
    DicomWebEndpoint: frozenset({AliasKind.SERVER}),
}


def matching(aliases: Iterable[Alias], destination: Endpoint) -> tuple[Alias, ...]:
    """Those that lead to the destination's own address: host, port and AE title, or the URL.

    Names are not resolved: a host that is written in two ways does not match.
    """
    kinds, wanted = _KINDS[type(destination)], _address_of_endpoint(destination)
    return tuple(each for each in aliases if each.kind in kinds and wanted and _address_of(each) == wanted)


def choose(aliases: Sequence[Alias], name: str, destination: Endpoint) -> Alias:
    """The alias of that name, or where none is given the only one that leads to the destination.

    Raises AliasUnknown, AliasAmbiguous, and AliasLeadsElsewhere: what another archive holds would prove nothing.
    """
    fitting = matching(aliases, destination)
    if not name:
        return _the_only_one(fitting, aliases)
    named = next((each for each in aliases if each.name == name), None)
    if named is None:
        raise AliasUnknown(f"The source has no alias “{name}”. {_there_is(aliases)}")
    if named not in fitting:
        raise AliasLeadsElsewhere(
            f"The alias “{name}” of the source leads to {named.leads_to}, and not to this destination. "
            f"{_there_is(fitting) if fitting else 'Correct one of the two addresses.'}"
        )
    return named


def _the_only_one(fitting: Sequence[Alias], aliases: Sequence[Alias]) -> Alias:
    if not fitting:
        raise AliasUnknown(f"No alias of the source leads to this destination. {_there_is(aliases)}")
    if len(fitting) > 1:
        raise AliasAmbiguous(
            f"Several aliases of the source lead to this destination: choose one. {_there_is(fitting)}"
        )
    return fitting[0]


def _there_is(aliases: Sequence[Alias]) -> str:
    if not aliases:
        return "It has none of the kind that this method needs."
    names = "; ".join(f"{each.name} ({each.leads_to})" for each in aliases[:MOST_NAMED])
    more = f" and {len(aliases) - MOST_NAMED} more" if len(aliases) > MOST_NAMED else ""
    return f"There is {names}{more}."


def seen_from_here(alias: Alias, source: HttpEndpoint) -> Alias:
    """What is local to the source is at the source's own host."""
    there = urlsplit(source.url).hostname or ""
    if alias.kind is AliasKind.MODALITY:
        return replace(alias, host=there) if _host(alias.host) == _HERE else alias
    address = _address_of_url(alias.url)
    if address is None or address.host != _HERE or _host(there) == _HERE:
        return alias
    host = f"[{there}]" if ":" in there else there
    return replace(alias, url=f"{address.scheme}://{host}:{address.port}{address.path}")


def _address_of(alias: Alias) -> _Address | None:
    if alias.kind is AliasKind.MODALITY:
        return _Address("dicom", _host(alias.host), alias.port, alias.called_ae_title.strip())
    return _address_of_url(alias.url)


def _address_of_endpoint(endpoint: Endpoint) -> _Address | None:
    if isinstance(endpoint, DicomEndpoint):
        return _Address("dicom", _host(endpoint.host), endpoint.port, endpoint.called_ae_title.strip())
    return _address_of_url(endpoint.url)


def _address_of_url(url: str) -> _Address | None:
    """None where it cannot be read."""
    try:
        split = urlsplit(url)
        port = split.port or _DEFAULT_PORTS.get(split.scheme, 0)
    except ValueError:
        return None
    if not split.hostname or split.scheme not in _DEFAULT_PORTS:
        return None
    # In one spelling, in which an encoded slash stays part of its segment (RFC 3986 2.2).
    segments = [quote(unquote(segment), safe=_OF_SEGMENTS) for segment in split.path.split("/") if segment]
    return _Address(split.scheme, _host(split.hostname), port, "".join(f"/{segment}" for segment in segments))


def _host(name: str) -> str:
    """In one spelling: names in lower case, addresses in their shortest form, this machine under one name."""
    name = name.strip().strip("[]").rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name
    return _HERE if address.is_loopback else str(address)
