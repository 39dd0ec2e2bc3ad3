"""Access tokens by OAuth 2.0 client credentials (RFC 6749 4.4, RFC 6750): kept, and renewed before they end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from transfers.endpoints import ClientCredentials, TlsSettings
from transfers.errors import MalformedAnswer

_SECONDS_BEFORE = 60.0
"""How long before its end a token is renewed; one that lives less than five times as long, after four fifths."""
_LONGEST_TOKEN = 16_384
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""RFC 6750 2.1."""

Fetch = Callable[[ClientCredentials], Mapping[str, Any]]
"""Asks the service that gives tokens; its answer (RFC 6749 5.1). Raises RequestError."""


class _Token(NamedTuple):
    text: str
    until: float
    """Of the monotonic clock."""


_Key = tuple[ClientCredentials, TlsSettings | None]


class AccessTokens:
    """Of one client; safe for several threads. What is fetched is kept for all that this process does as it."""

    _kept: dict[_Key, _Token] = {}

    def __init__(self, credentials: ClientCredentials, tls: TlsSettings | None, fetch: Fetch) -> None:
        self._credentials = credentials
        self._key = (credentials, tls)
        self._fetch = fetch
        self._lock = Lock()

    def get(self) -> str:
        """One that is good for a while. Raises RequestError."""
        with self._lock:
            kept = self._kept.get(self._key)
            if kept is None or kept.until <= time.monotonic():
                kept = self._kept[self._key] = _token(self._fetch(self._credentials))
            return kept.text

    def forget(self, text: str) -> None:
        """It was refused. One that was fetched since stays."""
        with self._lock:
            kept = self._kept.get(self._key)
            if kept is not None and kept.text == text:
                del self._kept[self._key]


def _token(answer: Mapping[str, Any]) -> _Token:
    text, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(text, str) or len(text) > _LONGEST_TOKEN or not _TOKEN.fullmatch(text):
        raise MalformedAnswer("The service that gives access tokens answered without one that can be used.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise MalformedAnswer("The service that gives access tokens answered with one that is no bearer token.")
    return _Token(text, time.monotonic() + _lives(answer.get("expires_in")))


def _lives(expires_in: Any) -> float:
    """For how many seconds it may be used; where that is not said, until it is refused."""
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return float("inf")
    return max(seconds - _SECONDS_BEFORE, seconds * 0.8)
