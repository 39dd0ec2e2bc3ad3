"""A server in front of a real Orthanc: it answers what it wants to itself, and passes all else on, byte for byte."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import urllib3

from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST, is_listening

CONNECTIONS = 16
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"})


class OrthancIsDown(Exception):
    """Nothing is answered then: what stands in front is part of its process."""


class NoAnswer(Exception):
    """The connection is closed in place of an answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came."""

    method: str
    target: str
    """As it was sent, with one slash at its beginning however many there were."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Percent-decoded, without the query."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answered:
    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answered:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class Behind:
    """The Orthanc behind, asked with the credentials that it wants."""

    def __init__(self, orthanc: Orthanc) -> None:
        self.orthanc = orthanc
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=CONNECTIONS, block=False, retries=False)
        self._process = orthanc._process

    def close(self) -> None:
        self._pool.clear()

    def was_restarted(self) -> bool:
        """Whether it was started again since this was asked last. Raises OrthancIsDown."""
        before, self._process = self._process, self.orthanc._process
        if not is_listening(self.orthanc.http_port):
            raise OrthancIsDown
        return before is not self._process

    def pass_on(self, call: Call) -> Answered:
        headers = {name: value for name, value in call.headers.items() if name not in _HOP_BY_HOP | {"host"}}
        return self._ask(call.method, call.target, headers, call.body)

    def ask(self, method: str, target: str, body: bytes = b"") -> Answered:
        """On our own behalf."""
        return self._ask(method, target, self.orthanc._authorization(), body)

    def knows(self, call: Call) -> bool:
        """Whether it takes the credentials of a request."""
        return self._ask("GET", "/system", _credentials(call), b"").status == 200

    def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answered:
        try:
            answer = self._pool.request(
                method, self.orthanc.url + target, headers=headers, body=body, redirect=False, decode_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise OrthancIsDown from error
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return Answered(answer.status, answer.data, kept)


class Gateway:
    """A context manager. What a subclass does not answer (None) the Orthanc behind does."""

    def __init__(self, orthanc: Orthanc) -> None:
        self.orthanc = orthanc
        self.behind = Behind(orthanc)
        self.ended = threading.Event()
        self._server = _Server(self)
        self.http_port: int = self._server.server_port
        self.url = f"http://{HOST}:{self.http_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.behind.close()

    def answer(self, call: Call) -> Answered | None:
        """Raises OrthancIsDown, or NoAnswer, where nothing is answered."""
        raise NotImplementedError


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client may go at any moment."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer's head and body in one write
    server: _Server

    def _reply(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, "/" + self.path.lstrip("/"), headers, self._body())
        gateway = self.server.gateway
        try:
            answered = gateway.answer(call) or gateway.behind.pass_on(call)
        except (OrthancIsDown, NoAnswer):
            self.close_connection = True
            return
        with suppress(OSError):
            self._write(answered)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = bytearray()
        while length := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(content)

    def _write(self, answered: Answered) -> None:
        self.send_response(answered.status)
        for name, value in answered.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answered.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _reply  # noqa: N815 as the library calls them

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 as it is called there
        """Nothing."""


def _credentials(call: Call) -> dict[str, str]:
    return {"Authorization": call.headers["authorization"]} if "authorization" in call.headers else {}


def inflated(content: bytes) -> bytes:
    """A gzip member (RFC 1952). Raises OSError, EOFError or zlib.error."""
    return gzip.decompress(content)
