"""The addresses of the websockets, and what stands before them: the page has to be one of ours."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from transfers.consumers import LiveConsumer, TransferConsumer, TransfersConsumer
from transfers.logins import Headers, login_in
from transfers.origins import is_allowed

_addresses: Any = URLRouter(
    [
        path("ws/transfers/", cast(Any, TransfersConsumer.as_asgi())),
        path("ws/transfers/<uuid:public_id>/", cast(Any, TransferConsumer.as_asgi())),
        re_path("", cast(Any, LiveConsumer.as_asgi())),  # any other: there is nothing
    ]
)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application. A page of another site is refused before the handshake."""
    if _may_come_from(scope["headers"]):
        await _addresses(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close"})


def _may_come_from(headers: Headers) -> bool:
    """Every browser names the origin of the page; a program does not, and has to bring a token."""
    by_name = {name.lower(): value.decode("latin-1") for name, value in headers}
    origin = by_name.get(b"origin")
    if origin is None:
        login = login_in(headers)
        return login is None or login.kind == "token"
    return is_allowed(origin, by_name.get(b"host", ""), settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
