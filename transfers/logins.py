"""Who is at the other end of a websocket: a session of the pages, or a token of the API; and whether still so."""

from __future__ import annotations

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

Headers = Iterable[tuple[bytes, bytes]]


class Login(NamedTuple):
    """What somebody logged in with. It is a secret."""

    kind: Literal["session", "token"]
    key: str

    def __repr__(self) -> str:
        return f"Login({self.kind})"


def login_in(headers: Headers) -> Login | None:
    """What the headers of a request bring; a token goes before a session."""
    by_name = {name.lower(): value.decode("latin-1") for name, value in headers}
    if b"authorization" in by_name:
        scheme, _, token = by_name[b"authorization"].partition(" ")
        return Login("token", token.strip()) if scheme.lower() == "token" and token.strip() else None
    key = _cookie(by_name.get(b"cookie", ""), settings.SESSION_COOKIE_NAME)
    return Login("session", key) if key else None


def user_of(login: Login) -> User | None:
    """The active account that it belongs to now; None once it has ended, expired, or the password is another."""
    return _user_of_session(login.key) if login.kind == "session" else _user_of_token(login.key)


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _user_of_session(key: str) -> User | None:
    sessions: Any = import_module(settings.SESSION_ENGINE)
    request = SimpleNamespace(session=sessions.SessionStore(key))
    user = get_user(cast(HttpRequest, request))
    return user if isinstance(user, User) and user.is_active else None


def _user_of_token(token: str) -> User | None:
    try:
        user, _ = TokenAuthentication().authenticate_credentials(token.encode())
    except AuthenticationFailed:
        return None
    return cast(User, user)
