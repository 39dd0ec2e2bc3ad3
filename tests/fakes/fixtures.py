"""Fixtures for the fakes: scripted archives and bare SCUs, as many as a test needs."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from tests.fakes.accelerator import Accelerator
from tests.fakes.archive import Archive
from tests.fakes.requestor import Peer, Requestor
from tests.fakes.script import Script
from tests.fakes.web import Answer, Web
from tests.peers.orthanc import Orthanc


class MakeArchive(Protocol):
    """Starts an archive that ends with the test."""

    def __call__(
        self, script: Script | None = None, *, ae_title: str = "SCRIPTED", tls: ssl.SSLContext | None = None
    ) -> Archive: ...


class MakeWeb(Protocol):
    """Starts a scripted HTTP service that ends with the test."""

    def __call__(self, answer: Answer, *, tls: ssl.SSLContext | None = None) -> Web: ...


class MakeAccelerator(Protocol):
    """Starts an accelerator in front of an Orthanc; it ends with the test."""

    def __call__(self, orthanc: Orthanc, **settings: Any) -> Accelerator: ...


class Request(Protocol):
    """Connects a bare SCU that is closed with the test."""

    def __call__(
        self, peer: Peer, *sop_class_uids: str, transfer_syntax_uid: str = ExplicitVRLittleEndian
    ) -> Requestor: ...


@pytest.fixture
def archive() -> Iterator[MakeArchive]:
    """Scripted archives on free ports: `archive(Script(…))`."""
    with ExitStack() as stack:

        def start(
            script: Script | None = None, *, ae_title: str = "SCRIPTED", tls: ssl.SSLContext | None = None
        ) -> Archive:
            return stack.enter_context(Archive(script, ae_title=ae_title, tls=tls))

        yield start


@pytest.fixture
def web() -> Iterator[MakeWeb]:
    """Scripted HTTP services on free ports: `web(always(Reply(…)))`."""
    with ExitStack() as stack:

        def start(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Web:
            return stack.enter_context(Web(answer, tls))

        yield start


@pytest.fixture
def accelerator() -> Iterator[MakeAccelerator]:
    """Counterparts of the transfers accelerator: `accelerator(orthanc, script=Script(…))`."""
    with ExitStack() as stack:

        def start(orthanc: Orthanc, **settings: Any) -> Accelerator:
            return stack.enter_context(Accelerator(orthanc, **settings))

        yield start


@pytest.fixture
def request_of() -> Iterator[Request]:
    """Connections of a bare SCU, not yet associated: `request_of(peer, *sop_class_uids)`."""
    opened: list[Requestor] = []

    def connect(peer: Peer, *sop_class_uids: str, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Requestor:
        opened.append(Requestor(peer, *sop_class_uids, transfer_syntax_uid=transfer_syntax_uid))
        return opened[-1]

    yield connect
    for requestor in opened:
        requestor.link.close()
