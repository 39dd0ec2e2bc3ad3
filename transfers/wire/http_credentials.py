"""What a request says of who makes it: nothing, user name and password (RFC 7617), or a token (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from transfers.endpoints import HttpEndpoint
from transfers.wire.access_tokens import AccessTokens

BEARER = "Bearer "


class _Bearer(AuthBase):
    """A token that is the same for ever, or the one that is good now (RFC 6750 2.1)."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{BEARER}{self._token()}"
        return request


def authentication(endpoint: HttpEndpoint, tokens: AccessTokens | None) -> AuthBase | None:
    if tokens is not None:
        return _Bearer(tokens.get)
    if endpoint.bearer_token:
        return _Bearer(lambda: endpoint.bearer_token)
    if endpoint.username:
        return HTTPBasicAuth(endpoint.username.encode(), endpoint.password.encode())
    return None
