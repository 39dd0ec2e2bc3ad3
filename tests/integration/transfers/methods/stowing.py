"""Sends by STOW-RS to its end, and services that answer it as no real one can be made to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from types import TracebackType
from typing import Any, Self

from audit.entries import ManifestEntry
from tests.fakes.web import Asked, Reply, Web
from tests.integration.transfers.methods.sending import FINAL, PATIENT, POLICY, Sent
from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST
from transfers.endpoints import DicomWebEndpoint, Timeouts
from transfers.methods.base import ReconnectPolicy, SendContext
from transfers.methods.stow_rs import StowRs


def endpoint_of(peer: Orthanc | Web | str, *, timeouts: Timeouts = PATIENT, **changes: Any) -> DicomWebEndpoint:
    url = peer if isinstance(peer, str) else peer.dicom_web_url if isinstance(peer, Orthanc) else peer.url
    return DicomWebEndpoint(url, timeouts=timeouts, **({"connections": 1} | changes))


def stow(
    to: DicomWebEndpoint,
    entries: Sequence[ManifestEntry],
    *,
    policy: ReconnectPolicy = POLICY,
    stop: Event | None = None,
    on_seen: Callable[[Sent], None] = lambda _: None,
    **options: Any,
) -> Sent:
    """Send everything; `on_seen` is told whenever something was seen."""
    context = SendContext(to, policy, options, stop or Event())
    sent = Sent()
    for seen in StowRs().send(entries, context):
        sent.add(seen)
        if seen is not None:
            on_seen(sent)
    for entry in entries:
        assert FINAL & set(sent.of(entry)), f"nothing final was said of {entry.sop_instance_uid}"
    assert not [thread for thread in threading.enumerate() if thread.name == "http-sender"]
    return sent


def receipts(stored: Sequence[str], failed: Mapping[str, int] | None = None) -> bytes:
    """The body of an answer in the DICOM JSON Model."""

    def item(uid: str, **more: Any) -> dict[str, Any]:
        return {"00081155": {"vr": "UI", "Value": [uid]}, **more}

    refused = [item(uid, **{"00081197": {"vr": "US", "Value": [reason]}}) for uid, reason in (failed or {}).items()]
    return json.dumps(
        {"00081199": {"vr": "SQ", "Value": list(map(item, stored))}, "00081198": {"vr": "SQ", "Value": refused}}
    ).encode()


def taking(entries: Sequence[ManifestEntry], largest: int | None = None) -> Callable[[Asked], Reply]:
    """A service that stores what it gets of these, unless a request has more of them than it takes."""

    def answer(asked: Asked) -> Reply:
        if asked.method != "POST":
            return Reply(204)
        if largest is not None and asked.body.count(b"\r\nContent-Type: application/dicom\r\n") > largest:
            return Reply(413, b"too large", "text/plain")
        uids = [entry.sop_instance_uid for entry in entries]
        return Reply(body=receipts([uid for uid in uids if uid.encode() in asked.body]))

    return answer


class TooEarly:
    """Answers a request once its head has come, with receipts, and hangs up on the rest of it."""

    def __init__(self, body: bytes) -> None:
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        self._listening = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(self._answer)
