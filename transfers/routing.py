"""The addresses of the websockets, and what stands before them: the page's origin, and the login."""

from __future__ import annotations

from typing import Any, cast

from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from transfers.consumers import LiveConsumer, TransferConsumer, TransfersConsumer
from transfers.logins import Headers, Login, login_in, user_of
from transfers.origins import is_allowed

_addresses: Any = URLRouter(
    [
        path("ws/transfers/", cast(Any, TransfersConsumer.as_asgi())),
        path("ws/transfers/<uuid:public_id>/", cast(Any, TransferConsumer.as_asgi())),
        re_path("", cast(Any, LiveConsumer.as_asgi())),  # any other: there is nothing
    ]
)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """ASGI application. A page of another site is refused before the handshake; who may not look, after it."""
    headers = scope["headers"]
    if not _may_come_from(headers):
        await receive()
        await send({"type": "websocket.close"})
        return
    login = await database_sync_to_async(_login_of)(headers)
    await _addresses({**scope, "login": login}, receive, send)


def _may_come_from(headers: Headers) -> bool:
    """Every browser names the origin of the page; a program does not, and has to bring a token."""
    by_name = {name.lower(): value.decode("latin-1") for name, value in headers}
    origin = by_name.get(b"origin")
    if origin is None:
        login = login_in(headers)
        return login is None or login.kind == "token"
    return is_allowed(origin, by_name.get(b"host", ""), settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)


def _login_of(headers: Headers) -> Login | None:
    login = login_in(headers)
    return login if login is not None and user_of(login) is not None else None
