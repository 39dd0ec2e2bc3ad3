"""One request before it goes out: where it goes, what its head says, and its body."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from transfers.errors import RequestRefused
from transfers.wire.http_body import Body

Parameters = Mapping[str, str | int] | Sequence[tuple[str, str | int]]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
"""RFC 9110 5.1 and 5.5."""
_SCHEMES = frozenset({"http", "https"})


@dataclass(slots=True)
class HttpRequest:
    """A redirect may lead it elsewhere on the same origin."""

    method: str
    url: Url
    headers: Mapping[str, str]
    body: Body | None

    def redirected(self, location: str | None) -> Url | None:
        """Where a redirect leads; None where that is another origin, or no place at all."""
        if not location:
            return None
        try:
            target = parse_url(urljoin(self.url.url, location))
        except ValueError:
            return None
        return target if _origin(target) == _origin(self.url) else None


def url_of(base: str, path: str, parameters: Parameters | None) -> Url:
    """Raises ValueError where that is no URL of HTTP."""
    url = parse_url(base.rstrip("/") + path)
    if url.scheme not in _SCHEMES or not url.host:
        raise LocationParseError(base)
    if not parameters:
        return url
    query = urlencode(parameters, doseq=True)
    return url._replace(query=f"{url.query}&{query}" if url.query else query)


class Headers:
    """Of every request of a session; a name in any case is one name."""

    def __init__(self, *layers: Mapping[str, str]) -> None:
        """What comes later goes over what came before."""
        self._named: dict[str, tuple[str, str]] = {}
        for layer in layers:
            self._named |= _named(layer)

    def with_these(self, headers: Mapping[str, str] | None, authorization: str, body: Body | None) -> dict[str, str]:
        """With those of one request, and with the length of its body where only that body knows it.

        Raises RequestRefused for what no head of a request can hold: its message says none of it, since it is mostly
        a key.
        """
        own = dict(headers or {})
        if authorization:
            own["Authorization"] = authorization
        if not isinstance(body, bytes | None) and isinstance(body, Sized):
            own["Content-Length"] = str(len(body))
        headers = dict((self._named | _named(own)).values())
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items()):
            raise RequestRefused("A header or a token has characters that a request cannot hold. Enter it anew.")
        return headers


def _named(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {name.lower(): (name, value) for name, value in headers.items()}


def _origin(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme or "")
