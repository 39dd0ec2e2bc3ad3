"""Where a destination is and how to speak to it: values only, no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Self

AE_TITLE_MAXIMUM_LENGTH = 16


def validate_ae_title(value: str) -> str:
    """Return the AE title without its insignificant spaces.

    PS3.5 6.2, VR AE: at most 16 characters of the default repertoire, without backslash and control
    characters; leading and trailing spaces do not count, and spaces alone are no title.

    Raises ValueError, saying what is wrong, for anything else.
    """
    title = value.strip(" ")
    if not title:
        raise ValueError("An AE title needs at least one character other than a space.")
    if len(title) > AE_TITLE_MAXIMUM_LENGTH:
        raise ValueError(f"An AE title has at most 16 characters; “{title}” has {len(title)}.")
    if "\\" in title:
        raise ValueError("An AE title must not contain a backslash.")
    if not all(" " <= character <= "~" for character in title):
        raise ValueError("An AE title may only contain printable ASCII characters.")
    return title


@dataclass(frozen=True, slots=True)
class Timeouts:
    """All in seconds."""

    connect_seconds: float = 10.0
    """Until the TCP connection (and the TLS handshake) stands."""
    acse_seconds: float = 30.0
    """Until an association request or a release is answered."""
    dimse_seconds: float = 60.0
    """Until a request that was written completely is answered."""
    network_seconds: float = 60.0
    """Without any byte moving, while writing or inside a PDU."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """PS3.15 Annex B. Paths of PEM files; an empty path means the system's CAs, or no client certificate."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    minimum_version: str = "1.2"
    """"1.2" or "1.3"."""
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class DicomEndpoint:
    """A DICOM application entity reached over TCP."""

    host: str
    port: int
    called_ae_title: str
    calling_ae_title: str
    tls: TlsSettings | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    associations: int = 4
    """How many associations may send side by side."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """By which an access token is asked for (OAuth 2.0, RFC 6749 4.4)."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """A service reached over HTTP; `url` has no slash at its end, and may have any prefix."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    bearer_token: str = field(default="", repr=False)
    oauth2: ClientCredentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of every request, besides ours."""
    tls: TlsSettings | None = None
    """For https; None: the system's CAs, and the host name is checked."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    connections: int = 4
    """How many requests may be under way side by side."""

    def hurried(self, *, connect_seconds: float = inf, dimse_seconds: float = inf) -> Self:
        """The same, with time-outs of no more than these."""
        connect_seconds = min(connect_seconds, self.timeouts.connect_seconds)
        dimse_seconds = min(dimse_seconds, self.timeouts.dimse_seconds)
        timeouts = replace(self.timeouts, connect_seconds=connect_seconds, dimse_seconds=dimse_seconds)
        return replace(self, timeouts=timeouts)


@dataclass(frozen=True, slots=True)
class OrthancEndpoint(HttpEndpoint):
    """Orthanc's own REST API."""


@dataclass(frozen=True, slots=True)
class DicomWebEndpoint(HttpEndpoint):
    """A DICOMweb service (PS3.18): what follows `url` begins with /studies."""


Endpoint = DicomEndpoint | OrthancEndpoint | DicomWebEndpoint
