"""An Orthanc that studies are taken from: what it holds, and its instances while they are sent."""

from __future__ import annotations

from threading import Event

from transfers.endpoints import OrthancEndpoint
from transfers.sources.base import InstanceReaders


class OrthancSource:
    """Instances of a source Orthanc, each read when it is sent."""

    kind = "orthanc"

    def __init__(self, endpoint: OrthancEndpoint) -> None:
        self.endpoint = endpoint

    def readers(self, stop: Event) -> InstanceReaders:
        raise NotImplementedError
