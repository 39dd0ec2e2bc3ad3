"""Websockets of the product as it is put together, within the test's own event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from knox.models import AuthToken

from project.asgi import application
from tests.contract.events import faults_of
from transfers.live.hub import end_hub
from transfers.models import Transfer

HOST = "localhost:8000"
ORIGIN = f"http://{HOST}"
PATIENCE_SECONDS = 10

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Socket:
    """One websocket, as an ASGI server gives it to the product; what comes is held against the catalogue of events.

    (The communicator of Channels cannot be imported without daphne.)
    """

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        path, _, query = address.partition("?")
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": encoded}
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._serving = asyncio.ensure_future(cast(Any, application)(scope, self._said.get, self._told.put))
        self.heard: list[str] = []
        """Every text that came."""

    async def connect(self) -> bool:
        """Whether it was accepted."""
        await self._said.put({"type": "websocket.connect"})
        return bool((await self._next())["type"] == "websocket.accept")

    async def event(self) -> dict[str, Any]:
        message = await self._next()
        assert message["type"] == "websocket.send", message
        self.heard.append(message["text"])
        event = dict(json.loads(message["text"]))
        assert faults_of(event) == []
        return event

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event of which it is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(event := await self.event()):
                pass
        return event

    async def is_silent_for(self, seconds: float) -> bool:
        await asyncio.sleep(seconds)
        return self._told.empty()

    async def say(self, text: str) -> None:
        await self._said.put({"type": "websocket.receive", "text": text})

    async def close_code(self) -> int:
        """What it is closed with, after whatever comes before."""
        while (message := await self._next())["type"] != "websocket.close":
            self.heard.append(message["text"])
        return int(message["code"])

    async def leave(self) -> None:
        await self._said.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self._serving, PATIENCE_SECONDS)

    async def _next(self) -> dict[str, Any]:
        """What is told next; an error of the product is raised here."""
        telling = asyncio.ensure_future(self._told.get())
        await asyncio.wait({telling, self._serving}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            return telling.result()
        telling.cancel()
        if self._serving.done():
            self._serving.result()
        raise AssertionError("Nothing came.")


Open = Callable[..., Awaitable[Socket]]


async def in_thread(
    function: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
) -> _Result:
    """As another thread of the process does it, with connections of its own that end with it."""

    def run() -> _Result:
        try:
            return function(*arguments, **named)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


def browser_headers(client: Client, **others: str) -> dict[str, str]:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"host": HOST, "origin": ORIGIN, "cookie": cookies} | others


def address_of(transfer: Transfer) -> str:
    return f"/ws/transfers/{transfer.public_id}/"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator", password="a long enough password")


@pytest.fixture
def browser(user: User) -> Client:
    """Of somebody who is logged in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def token(user: User) -> str:
    _, token = AuthToken.objects.create(user)
    return str(token)


@pytest.fixture
async def open_socket(token: str) -> AsyncIterator[Open]:
    """Opens websockets that are accepted, with a token unless other headers are given."""
    sockets: list[Socket] = []

    async def open_socket(address: str, headers: dict[str, str] | None = None) -> Socket:
        socket = Socket(address, headers or {"authorization": f"Token {token}"})
        sockets.append(socket)
        assert await socket.connect()
        return socket

    yield open_socket
    for socket in sockets:
        await socket.leave()
    await end_hub()
    await sync_to_async(connections.close_all)()


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    """Of three instances, claimed by this process."""
    return create()
