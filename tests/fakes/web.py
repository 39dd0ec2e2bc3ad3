"""A scripted HTTP service on loopback: real HTTP by the standard library, and every fault that a test wants of it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.peers.process import HOST


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True
    """Whether the body came to its end; what was broken off is not answered."""
    port: int = 0
    """Of who asks: another connection has another one."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; with `cut_after` the connection is cut after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/dicom+json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    seconds_a_byte: float = 0.0
    """For a service that is so slow that no time-out of a socket ever ends it."""
    says_its_length: bool = True
    trickles_its_head: bool = False
    """Whether the head comes at that pace too, and never ends."""
    is_dropped: bool = False
    """Whether the connection is closed without any answer."""


Answer = Callable[[Asked], Reply]


class Web:
    """Answers each request as its script says, and keeps what it was asked."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self._ended = threading.Event()
        self._server = _Server(self, tls)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def write(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.is_dropped:
            handler.close_connection = True
            return
        if reply.trickles_its_head:
            self._trickle(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, reply.seconds_a_byte)
            return
        handler.send_response(reply.status)
        if reply.body or reply.status != 204:
            handler.send_header("Content-Type", reply.content_type)
        if reply.says_its_length and reply.status != 204:
            handler.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.close_connection = not reply.says_its_length or reply.cut_after is not None
        body = reply.body[: reply.cut_after] if reply.cut_after is not None else reply.body
        if not reply.seconds_a_byte:
            handler.wfile.write(body)
            return
        self._trickle(handler, body, reply.seconds_a_byte)

    def _trickle(self, handler: BaseHTTPRequestHandler, content: bytes, seconds_a_byte: float) -> None:
        for index in range(len(content)):
            handler.wfile.write(content[index : index + 1])
            if self._ended.wait(seconds_a_byte):
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, web: Web, tls: ssl.SSLContext | None) -> None:
        self.web = web
        super().__init__((HOST, 0), _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client may go at any moment."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _reply(self) -> None:
        split = urlsplit(self.path)
        body, is_whole = self._body()
        asked = Asked(
            self.command,
            unquote(split.path),
            dict(parse_qsl(split.query)),
            dict(self.headers.items()),
            body,
            is_whole,
            self.client_address[1],
        )
        web = self.server.web
        web.asked.append(asked)
        if not is_whole:
            self.close_connection = True
            return
        with suppress(OSError):
            web.write(self, web.answer(asked))

    def _body(self) -> tuple[bytes, bool]:
        """The body, be it in chunks (RFC 9112 7.1), and whether it came to its end."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            return body, len(body) == length
        chunks = b""
        while line := self.rfile.readline():
            if not (size := int(line, 16)):
                self.rfile.readline()
                return chunks, True
            chunks += self.rfile.read(size)
            self.rfile.readline()
        return chunks, False

    do_GET = do_POST = do_PUT = do_DELETE = _reply  # noqa: N815 as the library calls them

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 as it is called there
        """Nothing: tests read `asked`."""
