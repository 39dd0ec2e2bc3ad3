"""What a request says of who makes it: nothing, user name and password (RFC 7617), or a token (RFC 6750)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from transfers.endpoints import HttpEndpoint
from transfers.wire.access_tokens import AccessTokens

BEARER = "Bearer "


def authorization(endpoint: HttpEndpoint, tokens: AccessTokens | None) -> Callable[[], str]:
    """Asked for each request: the value of the header of that name, empty for none.

    What it gives may raise RequestError, where there is no token.
    """
    if tokens is not None:
        return lambda: BEARER + tokens.get()
    if endpoint.bearer_token:
        said = BEARER + endpoint.bearer_token
    elif endpoint.username:
        said = _basic(endpoint.username, endpoint.password)
    else:
        said = _of_url(endpoint.url)
    return lambda: said


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def _of_url(url: str) -> str:
    """Of a URL that has a user name itself."""
    try:
        split = urlsplit(url)
    except ValueError:
        return ""
    return _basic(unquote(split.username), unquote(split.password or "")) if split.username else ""
