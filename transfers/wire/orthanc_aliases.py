"""Reads the lists under which a source Orthanc knows other archives (see `transfers.aliases`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any, TypeAlias

from transfers.aliases import Alias, AliasKind, seen_from_here
from transfers.endpoints import OrthancEndpoint
from transfers.errors import MalformedAnswer, ResourceNotFound
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc

ACCELERATOR = "transfers"
"""The name of the accelerator plug-in, in `/plugins`."""
_LONGEST_URL = 1000
_Entries: TypeAlias = Mapping[str, Any]


def aliases_of(endpoint: OrthancEndpoint, stop: Event | None = None) -> tuple[Alias, ...]:
    """All that the Orthanc has, of every kind. Raises RequestError."""
    with HttpSession(endpoint, stop) as session:
        return tuple(alias for kind in AliasKind for alias in read_aliases(session, kind))


def read_aliases(session: HttpSession, kind: AliasKind) -> tuple[Alias, ...]:
    """Those of one kind; none where the plug-in that keeps them is not there. Raises RequestError."""
    found = _READERS[kind](session)
    return tuple(seen_from_here(alias, session.endpoint) for alias in found if clean_text(alias.name) == alias.name)


def _modalities(session: HttpSession) -> Iterator[Alias]:
    for name, entry in _entries(session, "/modalities?expand").items():
        title, host, port = _modality(entry)
        if isinstance(title, str) and isinstance(host, str) and isinstance(port, int):
            yield Alias(AliasKind.MODALITY, name, clean_text(host), port, clean_text(title))


def _modality(entry: Any) -> tuple[Any, Any, Any]:
    """Its AE title, host and port; the short form of the configuration is a list."""
    if isinstance(entry, list) and len(entry) >= 3:
        return entry[0], entry[1], entry[2]
    return (entry.get("AET"), entry.get("Host"), entry.get("Port")) if isinstance(entry, dict) else (None, None, None)


def _peers(session: HttpSession) -> Iterator[Alias]:
    for name, entry in _entries(session, "/peers?expand").items():
        if url := _url(entry):
            yield Alias(AliasKind.PEER, name, url=url)


def _servers(session: HttpSession) -> Iterator[Alias]:
    for name, entry in _entries(session, "/dicom-web/servers?expand").items():
        if url := _url(entry):
            yield Alias(AliasKind.SERVER, name, url=url, is_chunked=_is_chunked(entry))


def _accelerated_peers(session: HttpSession) -> Iterator[Alias]:
    """Whether a peer has the plug-in is asked of the peer: one that is down makes `/transfers/peers` disable others."""
    if ACCELERATOR not in Orthanc(session).plugins():
        return
    for name, entry in _entries(session, "/peers?expand").items():
        if url := _url(entry):
            is_pulled = isinstance(entry, dict) and bool(entry.get("RemoteSelf"))
            yield Alias(AliasKind.ACCELERATED_PEER, name, url=url, is_pulled=is_pulled)


_READERS: Mapping[AliasKind, Callable[[HttpSession], Iterator[Alias]]] = {
    AliasKind.MODALITY: _modalities,
    AliasKind.PEER: _peers,
    AliasKind.SERVER: _servers,
    AliasKind.ACCELERATED_PEER: _accelerated_peers,
}


def _entries(session: HttpSession, path: str) -> _Entries:
    try:
        answer = session.get_json(path)
    except ResourceNotFound:
        return {}
    if not isinstance(answer, dict):
        raise MalformedAnswer
    return answer


def _url(entry: Any) -> str:
    """The short form of the configuration is a list that begins with it."""
    url = entry.get("Url") if isinstance(entry, dict) else entry[0] if isinstance(entry, list) and entry else ""
    return url if isinstance(url, str) and url.isprintable() and len(url) <= _LONGEST_URL else ""


def _is_chunked(entry: Any) -> bool:
    """As the plug-in tells it ("0" and "1"), or its default."""
    value = entry.get("ChunkedTransfers", "1") if isinstance(entry, dict) else "1"
    return str(value).lower() not in {"0", "false"}
