"""The registry: a new way of asking is one new module here and one line below."""

from __future__ import annotations

from collections.abc import Mapping

from transfers.probes.base import Probe
from transfers.probes.c_find import CFindProbe

PROBES: Mapping[str, Probe] = {
    CFindProbe.key: CFindProbe(),
}

DEFAULT_PROBES: Mapping[str, str] = {"dicom": CFindProbe.key}
"""By the kind of destination."""
