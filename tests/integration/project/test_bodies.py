"""Bodies of requests are bounded by address, by who asks, and by what has really arrived."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import close_old_connections, connections
from django.test import Client
from knox.models import AuthToken
from pytest_django import Settings

from project import bodies
from project.bodies import (
    ANONYMOUS_BYTES,
    DEFAULT_BYTES,
    FORM_FRAME_BYTES,
    PART_BYTES,
    RECEIPT_BYTES,
    BodyHandler,
    Message,
    bounded,
)
from transfers.groups import VIEWERS

pytestmark = pytest.mark.django_db(transaction=True)

KILOBYTES = 50 * 1024
"""Less than the least bound."""
MULTIPART = (b"content-type", b"multipart/form-data; boundary=x")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)  # no thread keeps a connection
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


class Sink:
    """An application that reads the body as Django does, and answers 200."""

    def __init__(self) -> None:
        self.taken = 0
        self.saw_the_end = False

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.taken += len(message["body"])
            if not message["more_body"]:
                break
        self.saw_the_end = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Exchange:
    """One request, sent piece by piece as a server would hand it over."""

    def __init__(self, method: str, path: str, size: int, *headers: tuple[bytes, bytes], is_chunked: bool) -> None:
        length = (b"transfer-encoding", b"chunked") if is_chunked else (b"content-length", str(size).encode())
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost"), length, *headers],
        }
        self._left = size
        self.read = 0
        """Bytes that were asked of the client."""
        self.read_before_the_answer: int | None = None
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self._left < 0:
            await asyncio.sleep(3600)
        piece = min(self._left, 16 * 1024)
        self._left = self._left - piece or -1
        self.read += piece
        return {"type": "http.request", "body": bytes(piece), "more_body": self._left > 0}

    async def send(self, message: Message) -> None:
        if self.read_before_the_answer is None:
            self.read_before_the_answer = self.read
        self.sent.append(message)

    @property
    def status_code(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def content(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


async def ask(
    path: str,
    size: int,
    *headers: tuple[bytes, bytes],
    method: str = "POST",
    is_chunked: bool = False,
    application: Callable[..., Awaitable[None]] | None = None,
) -> Exchange:
    exchange = Exchange(method, path, size, *headers, is_chunked=is_chunked)
    await bounded(application or Sink())(exchange.scope, exchange.receive, exchange.send)
    return exchange


def token_of(user: User) -> tuple[bytes, bytes]:
    _, token = AuthToken.objects.create(user)
    return b"authorization", f"Token {token}".encode()


@pytest.fixture
def operator() -> User:
    return User.objects.create_user("operator")


@pytest.fixture
def token(operator: User) -> tuple[bytes, bytes]:
    return token_of(operator)


ADDRESSES = [
    "/account/login/",
    "/unknown/",
    "/new/",
    "/api/v1/batches/",
    "/api/v1/uploads/1/",
    "/admin/login/",
    "/receipts/check/",
]


@pytest.mark.parametrize("path", ADDRESSES)
async def test_nobody_brings_more_than_a_login_form(path: str) -> None:
    for size, status_code in ((ANONYMOUS_BYTES, 200), (ANONYMOUS_BYTES + 1, 413)):
        for is_chunked in (False, True):
            assert (await ask(path, size, MULTIPART, is_chunked=is_chunked)).status_code == status_code


async def test_what_says_that_it_is_too_large_is_not_read_before_the_answer() -> None:
    sink = Sink()

    refused = await ask("/new/", 300_000_000, MULTIPART, application=sink)

    assert (refused.status_code, refused.read_before_the_answer, sink.taken) == (413, 0, 0)


async def test_what_does_not_say_how_large_it_is_is_broken_off_at_the_bound() -> None:
    sink = Sink()

    refused = await ask("/new/", 300_000_000, MULTIPART, application=sink, is_chunked=True)

    assert refused.status_code == 413
    assert refused.read_before_the_answer is not None
    assert refused.read_before_the_answer <= ANONYMOUS_BYTES + 16 * 1024
    assert sink.taken <= ANONYMOUS_BYTES
    assert not sink.saw_the_end


async def test_a_length_that_is_a_lie_helps_nobody() -> None:
    exchange = Exchange("POST", "/unknown/", 10 * DEFAULT_BYTES, is_chunked=False)
    exchange.scope["headers"] = [(b"content-length", b"10")]

    await bounded(Sink())(exchange.scope, exchange.receive, exchange.send)

    assert exchange.status_code == 413


@pytest.mark.parametrize("length", [b"-1", b"many", b"1e3", b""])
async def test_a_length_that_is_no_number_counts_as_none(length: bytes) -> None:
    exchange = Exchange("POST", "/unknown/", DEFAULT_BYTES, is_chunked=False)
    exchange.scope["headers"] = [(b"content-length", length)]

    await bounded(Sink())(exchange.scope, exchange.receive, exchange.send)

    assert exchange.status_code == 413


async def test_the_connection_of_who_sends_too_much_is_closed_and_all_of_it_thrown_away() -> None:
    refused = await ask("/unknown/", 10 * DEFAULT_BYTES)

    assert refused.headers[b"connection"] == b"close"
    assert refused.read == 10 * DEFAULT_BYTES
    assert len(refused.content) == int(refused.headers[b"content-length"])


async def test_programs_are_told_in_json_and_people_in_words() -> None:
    program, person = [await ask(path, DEFAULT_BYTES) for path in ("/api/v1/batches/", "/new/")]

    assert program.headers[b"content-type"] == b"application/problem+json"
    assert json.loads(program.content) | {"status": 413, "code": "body_too_large"} == json.loads(program.content)
    assert person.headers[b"content-type"].startswith(b"text/html")
    assert b"too large" in person.content.lower()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize(
    ("method", "path", "headers", "bound"),
    [
        ("POST", "/unknown/", [MULTIPART], DEFAULT_BYTES),
        ("POST", "/api/v1/batches/", [], DEFAULT_BYTES),
        ("POST", "/api/v1/batches/1/start/", [MULTIPART], DEFAULT_BYTES),
        ("PUT", "/new/", [MULTIPART], DEFAULT_BYTES),
        ("POST", "/api/v1/uploads/", [], DEFAULT_BYTES),
        ("PATCH", "/api/v1/uploads/7d7d0dc8-1d34-4c3c-9e0f-27a1a6a2a3ff/", [], PART_BYTES),
        ("POST", "/api/v1/batches/", [MULTIPART], 5_000_000 + FORM_FRAME_BYTES),
        ("POST", "/new/", [MULTIPART], 5_000_000 + FORM_FRAME_BYTES),
        ("POST", "/receipts/check/", [MULTIPART], RECEIPT_BYTES),
        ("POST", "/receipts/check/", [], DEFAULT_BYTES),
    ],
)
async def test_who_is_logged_in_brings_what_the_address_takes(  # noqa: PLR0917  the table
    token: tuple[bytes, bytes],
    settings: Settings,
    method: str,
    path: str,
    headers: list[tuple[bytes, bytes]],
    bound: int,
    is_chunked: bool,
) -> None:
    settings.UPLOAD_QUOTA_BYTES = 5_000_000

    taken = await ask(path, bound, token, *headers, method=method, is_chunked=is_chunked)
    refused = await ask(path, bound + 1, token, *headers, method=method, is_chunked=is_chunked)

    assert (taken.status_code, refused.status_code) == (200, 413)


async def test_a_session_counts_as_a_token_does(operator: User) -> None:
    cookie = await in_a_thread(lambda: session_of(operator))

    assert (await ask("/unknown/", DEFAULT_BYTES, cookie)).status_code == 200


async def in_a_thread(work: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.to_thread(run)


def session_of(user: User) -> tuple[bytes, bytes]:
    client = Client()
    client.force_login(user)
    return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Token " + b"0" * 64),
        (b"authorization", b"Token \xff\xfe"),
        (b"authorization", b"Basic YTph"),
        (b"cookie", b"sessionid=0123456789"),
    ],
)
async def test_a_login_that_is_none_is_nobody(header: tuple[bytes, bytes]) -> None:
    assert (await ask("/unknown/", DEFAULT_BYTES, header)).status_code == 413


async def test_viewers_bring_no_files(operator: User, token: tuple[bytes, bytes]) -> None:
    await in_a_thread(lambda: operator.groups.add(Group.objects.get_or_create(name=VIEWERS)[0]))

    assert (await ask("/new/", DEFAULT_BYTES + 1, MULTIPART, token)).status_code == 413


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.05)
    exchange = Exchange("POST", "/unknown/", KILOBYTES, is_chunked=False)

    async def receive() -> Message:
        if exchange.read:
            await asyncio.sleep(3600)
        return await exchange.receive()

    await bounded(Sink())(exchange.scope, receive, exchange.send)

    assert exchange.status_code == 408


async def test_a_slow_body_that_never_stalls_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STALL_SECONDS", 0.2)
    exchange = Exchange("POST", "/unknown/", KILOBYTES, is_chunked=False)

    async def receive() -> Message:
        await asyncio.sleep(0.08)
        return await exchange.receive()

    await bounded(Sink())(exchange.scope, receive, exchange.send)

    assert exchange.status_code == 200


async def test_a_full_disk_is_said(operator: User, token: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    refused = await ask("/api/v1/batches/", KILOBYTES, token, MULTIPART, application=full)

    assert refused.status_code == 507
    assert json.loads(refused.content)["code"] == "disk_full"


async def test_another_error_is_not_taken_for_a_full_disk() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await ask("/unknown/", 1, application=broken)


# What Django is handed


async def test_a_large_body_lies_in_the_data_folder_while_it_is_read(temporary: Path, settings: Settings) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    opened: list[str] = []
    pieces = [{"type": "http.request", "body": bytes(2000), "more_body": False}]

    async def receive() -> Message:
        return pieces.pop()

    with await BodyHandler().read_body(receive) as body:
        opened = [os.readlink(f"/proc/self/fd/{body.fileno()}")]

    assert opened[0].startswith(str(temporary))


async def test_a_body_in_chunks_is_no_empty_one(token: tuple[bytes, bytes]) -> None:
    exchange = Exchange("POST", "/api/v1/uploads/", 10, token, (b"content-type", b"application/json"), is_chunked=True)

    await bounded(BodyHandler())(exchange.scope, exchange.receive, exchange.send)

    document = json.loads(exchange.content)
    assert document["code"] == "parse_error"  # ten null bytes are no JSON, but they are not nothing


# What killed processes leave


def test_what_is_older_than_a_day_is_cleared_away_at_the_start(temporary: Path) -> None:
    old, young = temporary / "received-old", temporary / "received-young"
    for file in (old, young):
        file.touch()
    os.utime(old, (0, time.time() - 86_500))

    bounded(Sink())

    assert (old.exists(), young.exists()) == (False, True)
    young.unlink()
