"""The destinations that are measured: storescp that keeps nothing, and Orthanc; stock, and with TCP_NODELAY."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST, Process, free_port, is_listening
from tests.peers.programs import program
from tests.peers.storescp import NO_DELAY
from transfers.endpoints import DicomEndpoint

STOCK: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Running:
    """A destination that runs."""

    endpoint: DicomEndpoint
    forget: Callable[[], None]
    """Make it forget what it was sent, so that the next program finds it as the last one did."""
    probe: str
    """How `manage.py send` verifies there."""


class Start(Protocol):
    def __call__(self, folder: Path, environment: Mapping[str, str]) -> Iterator[Running]: ...


@dataclass(frozen=True, slots=True)
class Destination:
    label: str
    start: Start
    environment: Mapping[str, str]
    """Of the destination."""
    sender_environment: Mapping[str, str]
    """Of dcmsend."""

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        yield from self.start(folder, self.environment)

    @property
    def stalls_dcmsend(self) -> bool:
        """Whether dcmsend needs 40 ms an instance there, so that a sample tells as much as the whole."""
        return not (self.environment and self.sender_environment)


def _storescp(folder: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    port = free_port()
    command = [program("storescp", package="dcmtk"), "--ignore", str(port)]
    process = Process(command, log=folder / f"storescp-{port}.log", environment=environment)
    process.wait_until_ready(lambda: is_listening(port))
    try:
        yield Running(DicomEndpoint(HOST, port, "ANY-SCP", "TALLYMAN"), lambda: None, "none")
    finally:
        process.stop()


def _orthanc(folder: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    storage = folder / f"orthanc-{free_port()}"
    storage.mkdir()
    with Orthanc(storage, environment=environment) as peer:
        endpoint = DicomEndpoint(HOST, peer.port, peer.ae_title, "TALLYMAN")
        yield Running(endpoint, peer.delete_everything, "presence")


DESTINATIONS = [
    Destination("storescp --ignore, stock", _storescp, STOCK, STOCK),
    Destination("storescp --ignore, TCP_NODELAY=1 on both sides", _storescp, NO_DELAY, NO_DELAY),
    Destination("Orthanc, stock", _orthanc, STOCK, STOCK),
    Destination("Orthanc, TCP_NODELAY=1 in its environment", _orthanc, NO_DELAY, STOCK),
]
