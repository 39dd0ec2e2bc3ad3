"""The registry: a new way of asking is one new module here and one line below."""

from __future__ import annotations

from collections.abc import Mapping

from transfers.probes.base import Probe
from transfers.probes.c_find import CFindProbe
from transfers.probes.orthanc import OrthancProbe
from transfers.probes.qido_rs import QidoRsProbe

PROBES: Mapping[str, Probe] = {
    CFindProbe.key: CFindProbe(),
    QidoRsProbe.key: QidoRsProbe(),
    OrthancProbe.key: OrthancProbe(),
}

DEFAULT_PROBES: Mapping[str, str] = {
    "dicom": CFindProbe.key,
    "dicomweb": QidoRsProbe.key,
    "orthanc": OrthancProbe.key,
}
"""By the kind of destination."""
