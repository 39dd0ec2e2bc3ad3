"""Bounds the bodies of requests before Django sees them: by address, by who asks, and by what has really arrived.

Django writes a whole body to memory or disk before it asks for a login. Here nobody brings more than a login form
needs, unless a session or a token, looked up before a byte is read, belongs to somebody who may.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, NamedTuple

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.db import connection

from transfers import receipts, uploads
from transfers.api import problems
from transfers.logins import login_in, user_of
from transfers.permissions import may_operate

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ANONYMOUS_BYTES = 64 * 1024
"""A login form, with room to spare."""
DEFAULT_BYTES = 1_000_000
"""The largest JSON that anything asks for is a batch of 2,000 uploads: 80 KB."""
PART_BYTES = uploads.PART_BYTES_MAXIMUM + 1024
"""A little more than a part, so that one that is too large is told so by its own code."""
FORM_BYTES = 2_000_000_000
"""Of files in a form. More comes by resumable uploads, which can go on where a connection broke."""
FORM_FRAME_BYTES = 1_000_000
"""What is around the files: boundaries, names, the other fields."""
RECEIPT_BYTES = receipts.MAXIMUM_BYTES + FORM_FRAME_BYTES
"""Of a receipt that is checked, which whoever may look may bring."""

PIECE_BYTES = 1_000_000
"""Written to disk at once."""
STALL_SECONDS = 60.0
"""A body of which nothing comes for so long is given up."""
LINGER_SECONDS = 10.0
"""How long what a refused sender goes on sending is thrown away: cut off at once, it might not read why."""
LEFTOVER_SECONDS = 86_400.0
"""No request lasts a day: a temporary file that is older was left behind by a process that was killed."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} · Tallyman</title>
<h1>{title}</h1>
<p>{detail}</p>
</html>
"""
"""No style sheet, no link: nothing more is read from this connection."""

_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Refusal(NamedTuple):
    """Why a body is not taken."""

    answer: HTTPStatus
    code: str
    detail: str


TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body_too_large",
    "The body of the request is larger than this address takes. Large files are sent in parts by the uploads of the "
    "API; who is not logged in may bring no more than a login form.",
)
PART_TOO_LARGE = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, uploads.PartTooLarge.code, str(uploads.PartTooLarge()))
STALLED = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "body_stalled", "Nothing of the body came for a minute. Send the request again."
)
DISK_FULL = Refusal(
    HTTPStatus.INSUFFICIENT_STORAGE,
    uploads.DiskFull.code,
    "The disk of the server is full: nothing of this was kept. Send it again once there is room.",
)


def bounded(application: Application) -> Application:
    """The application, which receives no body beyond its bound; clears away what killed processes left behind."""
    remove_leftovers(time.time())

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await _Exchange(application, scope, receive, send).run()

    return respond


def remove_leftovers(now: float) -> None:
    """Delete the temporary files of requests that no process can be answering any more."""
    for file in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with suppress(FileNotFoundError):
            if file.is_file() and file.stat().st_mtime < now - LEFTOVER_SECONDS:
                file.unlink()


class BodyHandler(ASGIHandler):
    """Django's handler, which keeps a body that is too large for memory in the data folder, and says how long it is.

    Django takes a body without a Content-Length (in chunks) for an empty one.
    """

    async def read_body(self, receive: Receive) -> IO[bytes]:
        body = tempfile.SpooledTemporaryFile(  # noqa: SIM115  closed by the caller
            max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, mode="w+b", dir=settings.FILE_UPLOAD_TEMP_DIR
        )
        try:
            await _spool(receive, body)
            body.seek(0)
            return body
        except BaseException:
            body.close()
            raise

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> Any:
        if _has(scope, b"transfer-encoding"):
            length = str(body_file.seek(0, 2)).encode()
            body_file.seek(0)
            headers = [each for each in scope["headers"] if each[0] not in {b"content-length", b"transfer-encoding"}]
            scope = dict(scope) | {"headers": [*headers, (b"content-length", length)]}
        return super().create_request(scope, body_file)


async def _spool(receive: Receive, body: IO[bytes]) -> None:
    """Large pieces from a thread: a disk that is slow for a moment must not keep everybody else waiting.

    Raises RequestAborted.
    """
    piece, more_body = bytearray(), True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        piece += message.get("body", b"")
        more_body = message.get("more_body", False)
        if len(piece) >= PIECE_BYTES:
            await asyncio.to_thread(body.write, piece)
            piece = bytearray()
    body.write(piece)


class _Exchange:
    """One request and its response."""

    def __init__(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        self._application, self._scope = application, scope
        self._receive_any, self._send = receive, send
        self._bound = ANONYMOUS_BYTES
        self._arrived = 0
        self._is_whole = False
        self._is_answered = False
        self._refusal: Refusal | None = None

    async def run(self) -> None:
        declared = _declared_bytes(self._scope)
        if declared is None or declared > ANONYMOUS_BYTES:
            self._bound = await sync_to_async(_bound_of, thread_sensitive=False)(self._scope)
        if declared is not None and declared > self._bound:
            await self._refuse(self._too_large)
            return
        try:
            await self._application(self._scope, self._receive, self._answer)
        except OSError as error:
            if not uploads.is_full_disk(error) or self._is_answered:
                raise
            self._refusal = DISK_FULL
        if self._refusal is not None and not self._is_answered:
            await self._refuse(self._refusal)

    async def _receive(self) -> Message:
        if self._refusal is not None:
            return {"type": "http.disconnect"}
        if self._is_whole:  # what comes now is the end of the connection, whenever that is
            return await self._receive_any()
        try:
            async with asyncio.timeout(STALL_SECONDS):
                message = await self._receive_any()
        except TimeoutError:
            return self._break_off(STALLED)
        self._is_whole = not message.get("more_body", False)
        self._arrived += len(message.get("body", b""))
        return self._break_off(self._too_large) if self._arrived > self._bound else message

    @property
    def _too_large(self) -> Refusal:
        return PART_TOO_LARGE if self._bound == PART_BYTES else TOO_LARGE

    def _break_off(self, refusal: Refusal) -> Message:
        """For Django the client has gone: it keeps nothing, and answers nothing."""
        self._refusal = refusal
        return {"type": "http.disconnect"}

    async def _answer(self, message: Message) -> None:
        self._is_answered = True
        await self._send(message)

    async def _refuse(self, refusal: Refusal) -> None:
        logger.info(
            "The body of a request was refused",
            extra={"action": "body_refused", "code": refusal.code, "status_code": refusal.answer.value},
        )
        media_type, content = page_of(refusal, self._scope["path"])
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
            (b"content-security-policy", b"default-src 'none'"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await self._send({"type": "http.response.start", "status": refusal.answer.value, "headers": headers})
        await self._send({"type": "http.response.body", "body": content, "more_body": True})
        if refusal is not STALLED and not self._is_whole:
            await self._throw_away_the_rest()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _throw_away_the_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await self._receive_any()).get("more_body", False):
                    pass


def _declared_bytes(scope: Scope) -> int | None:
    """How large the body says to be; None where it does not say, and may be of any size."""
    if _has(scope, b"transfer-encoding"):
        return None
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if len(lengths) == 1 and lengths[0].isdigit():
        return int(lengths[0])
    return 0 if not lengths and scope["method"] in _NO_BODY else None


def _has(scope: Mapping[str, Any], header: bytes) -> bool:
    return any(name == header for name, _ in scope["headers"])


def _bound_of(scope: Scope) -> int:
    """How much this request may bring, which depends on who asks, and where."""
    try:
        login = login_in(scope["headers"])
        user = user_of(login) if login is not None else None
        return ANONYMOUS_BYTES if user is None else _bound_for(user, scope)
    finally:
        connection.close()


def _bound_for(user: User, scope: Scope) -> int:
    kind = _kind_of(scope)
    if kind == "receipt":
        return RECEIPT_BYTES
    if kind == "other" or not may_operate(user):
        return DEFAULT_BYTES
    if kind == "part":
        return PART_BYTES
    left = max(0, settings.UPLOAD_QUOTA_BYTES - uploads.used_by(user))
    return min(FORM_BYTES, left) + FORM_FRAME_BYTES


def _kind_of(scope: Scope) -> str:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if scope["method"] == "PATCH" and path.startswith("/api/v1/uploads/"):
        return "part"
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    is_form = any(value.lower().startswith(b"multipart/form-data") for value in types)
    if scope["method"] == "POST" and path == "/receipts/check/" and is_form:
        return "receipt"
    takes_files = scope["method"] == "POST" and path in {"/api/v1/batches/", "/new/"}
    return "form" if takes_files and is_form else "other"


def page_of(refusal: Refusal, path: str) -> tuple[str, bytes]:
    """What is answered, with its media type: JSON for programs, a plain page for people."""
    if path.startswith("/api/"):
        document = problems.document(refusal.answer, refusal.code, refusal.detail)
        return problems.MEDIA_TYPE, json.dumps(document).encode()
    page = PAGE.format(title=refusal.answer.phrase, detail=refusal.detail)
    return "text/html; charset=utf-8", page.encode()
