"""The way that a method's instances take, from where they lie to a real Orthanc, whatever the method is.

What a method needs is made as it says of itself: a destination of its kind, the files on disk or in a source Orthanc
that knows the destination under one alias of each sort, and the accelerator on both sides where it takes a study at
once. Bad networks may stand in front of either side.
"""

from __future__ import annotations

import struct
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from audit.entries import ManifestEntry
from tests.entries import entries_of
from tests.fakes.accelerator import Accelerator
from tests.fakes.accelerator_sending import AcceleratorPeer
from tests.fakes.chaos import Chaos, Plan, undisturbed
from tests.peers.orthanc import Orthanc
from tests.peers.process import HOST
from tests.source_entries import stored_at
from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint, Timeouts
from transfers.methods import METHODS
from transfers.methods.base import Method
from transfers.models import Destination, Source
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles
from transfers.sources.orthanc import OrthancSource

ALIAS = "ROUTE"
TIMEOUTS = Timeouts(connect_seconds=2, acse_seconds=5, dimse_seconds=5, network_seconds=5)
QUICK: dict[str, Any] = {"presence_settle_seconds": 0.2, "probe_retry_seconds": 0.5, "associations": 2}


@dataclass
class Kind:
    """How a destination of one kind is reached: the one thing that is known here of methods."""

    port_of: Callable[[Orthanc], int]
    endpoint: Callable[[int, str], Endpoint]
    """From a port and an AE title."""
    fields: Callable[[int, str], dict[str, Any]]
    """Of a Destination."""


KINDS = {
    "dicom": Kind(
        lambda orthanc: orthanc.port,
        lambda port, ae_title: DicomEndpoint(HOST, port, ae_title, "TALLYMAN", timeouts=TIMEOUTS, associations=2),
        lambda port, ae_title: {"host": HOST, "port": port, "called_ae_title": ae_title},
    ),
    "dicomweb": Kind(
        lambda orthanc: orthanc.http_port,
        lambda port, _: DicomWebEndpoint(f"http://{HOST}:{port}/dicom-web", timeouts=TIMEOUTS, connections=2),
        lambda port, _: {"url": f"http://{HOST}:{port}/dicom-web"},
    ),
    "orthanc": Kind(
        lambda orthanc: orthanc.http_port,
        lambda port, _: OrthancEndpoint(f"http://{HOST}:{port}", timeouts=TIMEOUTS, connections=2),
        lambda port, _: {"url": f"http://{HOST}:{port}"},
    ),
}


@dataclass
class Route:
    """A context manager. Both Orthancs have DICOMweb; the source is used by methods that need one."""

    key: str
    destination: Orthanc
    source: Orthanc
    plan: Plan = undisturbed
    """What is done to connections with the destination."""
    source_plan: Plan = undisturbed
    """And to ours with the source."""
    ae_title: str = ""
    """By which the destination is called, where it is not its own."""
    source_kind: str = ""
    """Of those that the method takes; the first, unless it is said."""
    chaos: Chaos = field(init=False)
    _source_chaos: Chaos = field(init=False)
    _stack: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> Self:
        with self._stack as stack:
            self.chaos = stack.enter_context(Chaos(self._destination_port(), self.plan))
            self._source_chaos = stack.enter_context(Chaos(self._source_port(), self.source_plan))
            if self.takes_from_source:
                self._introduce()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def method(self) -> Method:
        return METHODS[self.key]

    @property
    def kind(self) -> Kind:
        return KINDS[self.method.kinds[0]]

    @property
    def takes_from_source(self) -> bool:
        return (self.source_kind or self.method.sources[0]) != "files"

    @property
    def endpoint(self) -> Endpoint:
        """Of the destination, through the network in front of it."""
        return self.kind.endpoint(self.chaos.port, self._ae_title)

    @property
    def instance_source(self) -> InstanceSource:
        return OrthancSource(self._source_endpoint) if self.takes_from_source else LocalFiles()

    def entries(self, paths: Sequence[Path]) -> list[ManifestEntry]:
        """As a manifest has them, once the files are where they are sent from."""
        return stored_at(self.source, paths) if self.takes_from_source else entries_of(paths)

    def remove(self, entry: ManifestEntry) -> None:
        """From where it is sent from."""
        if self.takes_from_source:
            self.source.rest(f"/instances/{entry.source_id}", method="DELETE")
        else:
            Path(entry.path).unlink()

    def saved_destination(self, **fields: Any) -> Destination:
        """As a row of the database, patient for a moment only."""
        address = self.kind.fields(self.chaos.port, self._ae_title)
        name = f"route-{self.chaos.port}"
        return Destination.objects.create(name=name, kind=self.method.kinds[0], **(QUICK | address | fields))

    def saved_source(self, **fields: Any) -> Source | None:
        """As a row of the database, where it takes from one."""
        if not self.takes_from_source:
            return None
        url = self._source_endpoint.url
        return Source.objects.create(name=f"route-{self._source_chaos.port}", url=url, **fields)

    def saved_side(self) -> Destination:
        """Another way to the destination, with a good network, to be asked at."""
        fields = {"name": f"side-{self.chaos.port}", "kind": "orthanc", "url": self.destination.url}
        return Destination.objects.create(**QUICK, **fields)

    def unreachable(self) -> None:
        """From now on nothing answers on the way to the destination, nor to the source."""
        for chaos in (self.chaos, self._source_chaos):
            chaos.shut()

    @property
    def _ae_title(self) -> str:
        return self.ae_title or self.destination.ae_title

    @property
    def _has_accelerator(self) -> bool:
        return self.method.destination_may_trust_stable_study

    @property
    def _source_endpoint(self) -> OrthancEndpoint:
        return OrthancEndpoint(f"http://{HOST}:{self._source_chaos.port}", timeouts=TIMEOUTS, connections=2)

    def _destination_port(self) -> int:
        if not self._has_accelerator:
            return self.kind.port_of(self.destination)
        return self._stack.enter_context(Accelerator(self.destination)).http_port

    def _source_port(self) -> int:
        if not (self._has_accelerator and self.takes_from_source):
            return self.source.http_port
        peers = {ALIAS: AcceleratorPeer(f"http://{HOST}:{self.chaos.port}")}
        return self._stack.enter_context(Accelerator(self.source, peers=peers)).http_port

    def _introduce(self) -> None:
        """The source knows the destination by every way, as it is reached through the network."""
        url = f"http://{HOST}:{self.chaos.port}"
        impatient = {"Timeout": 2}
        modality = {"AET": self._ae_title, "Host": HOST, "Port": self.chaos.port, **impatient}
        self.source.rest(f"/modalities/{ALIAS}", body=modality, method="PUT")
        self.source.add_peer(ALIAS, url, **impatient)
        self.source.add_server(ALIAS, f"{url}/dicom-web", **impatient)
        for folder in ("modalities", "peers", "dicom-web/servers"):
            self._stack.callback(self._forget, folder)

    def _forget(self, folder: str) -> None:
        with suppress(urllib.error.HTTPError):  # where the test did so itself
            self.source.rest(f"/{folder}/{ALIAS}", method="DELETE")

    def forget_aliases(self) -> None:
        """The source does not know the destination any more."""
        for folder in ("modalities", "peers", "dicom-web/servers"):
            self._forget(folder)


def held(orthanc: Orthanc, study_instance_uid: str) -> dict[str, list[bytes]]:
    """What an Orthanc has of a study, by SOP Instance UID: the data sets of all its copies, asked of it directly."""
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_instance_uid}, "Expand": True}
    found: dict[str, list[bytes]] = {}
    for instance in orthanc.rest("/tools/find", body=query):
        uid = instance["MainDicomTags"]["SOPInstanceUID"]
        found.setdefault(uid, []).append(data_set_of(_file(orthanc, instance["ID"])))
    return found


def _file(orthanc: Orthanc, orthanc_id: str) -> bytes:
    request = urllib.request.Request(  # noqa: S310 its own address
        f"{orthanc.url}/instances/{orthanc_id}/file", headers=orthanc._authorization()
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return bytes(response.read())


def data_set_of(content: bytes) -> bytes:
    """What follows the file meta group of a Part 10 file."""
    return content[144 + int(struct.unpack_from("<L", content, 140)[0]) :]
