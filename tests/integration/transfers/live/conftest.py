"""Websockets of the product as it is put together, within the test's own event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from knox.models import AuthToken

from project.asgi import application
from transfers.live.hub import end_hub
from transfers.models import Transfer

HOST = "localhost:8000"
ORIGIN = f"http://{HOST}"

Open = Callable[..., Awaitable["Socket"]]


class Socket(ApplicationCommunicator):
    """One websocket, as a browser or a program has it. (The communicator of Channels asks for daphne.)"""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        path, _, query = address.partition("?")
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": encoded}
        super().__init__(application, scope)

    async def connect(self) -> bool:
        """Whether it was accepted."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(5)
        return bool(answer["type"] == "websocket.accept")

    async def text(self, timeout: float = 5) -> str:
        message = await self.receive_output(timeout)
        assert message["type"] == "websocket.send", message
        return str(message["text"])

    async def event(self, timeout: float = 5) -> dict[str, Any]:
        return dict(json.loads(await self.text(timeout)))

    async def until(self, is_so: Callable[[dict[str, Any]], bool], timeout: float = 5) -> dict[str, Any]:
        async with asyncio.timeout(timeout):
            while not is_so(event := await self.event()):
                pass
        return event

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def close_code(self) -> int:
        """What it is closed with, after whatever comes before."""
        while (message := await self.receive_output(5))["type"] != "websocket.close":
            pass
        return int(message["code"])

    async def leave(self) -> None:
        if not self.future.done():
            await self.send_input({"type": "websocket.disconnect", "code": 1000})
            await self.wait(5)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("operator", password="a long enough password")


@pytest.fixture
def session(user: User) -> Client:
    """A browser that is logged in."""
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

    async def open_socket(path: str, **headers: str) -> Socket:
        socket = Socket(path, headers or {"authorization": f"Token {token}"})
        sockets.append(socket)
        assert await socket.connect()
        return socket

    yield open_socket
    for socket in sockets:
        await socket.leave()
    await end_hub()
    await sync_to_async(connections.close_all)()


def browser_headers(client: Client) -> dict[str, str]:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"host": HOST, "origin": ORIGIN, "cookie": cookies}


@pytest.fixture
def transfer(create: Callable[..., Transfer]) -> Transfer:
    """Of three instances, claimed by this process."""
    return create()
