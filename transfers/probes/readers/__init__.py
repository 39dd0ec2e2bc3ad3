"""The registry: a new way of reading back is one new module here and one line below."""

from __future__ import annotations

from collections.abc import Mapping

from transfers.endpoints import DicomEndpoint, DicomWebEndpoint, Endpoint, OrthancEndpoint
from transfers.probes.readers.base import Reader
from transfers.probes.readers.c_get import CGetReader
from transfers.probes.readers.orthanc import OrthancReader
from transfers.probes.readers.wado_rs import WadoRsReader

READERS: Mapping[type[Endpoint], Reader] = {
    DicomEndpoint: CGetReader(),
    OrthancEndpoint: OrthancReader(),
    DicomWebEndpoint: WadoRsReader(),
}
"""By the kind of endpoint."""


def reader_for(endpoint: Endpoint) -> Reader:
    return READERS[type(endpoint)]
