"""A source Orthanc sends by STOW-RS, in one request for all: POST /dicom-web/servers/{alias}/stow."""

from __future__ import annotations

from transfers.aliases import Alias, AliasKind
from transfers.methods.orthanc_job import OrthancJobMethod
from transfers.wire.http import path_of


class OrthancStow(OrthancJobMethod):
    """Whether it streams is a setting of its entry for the server (ChunkedTransfers): if not, 2 GB are the limit.

    Its job is never resubmitted, but begun anew: a resubmitted one was measured answering success with 346 of 400
    stored. It does not survive a restart of the source.
    """

    key = "orthanc-stow"
    label = "STOW-RS, by the source"
    kinds: tuple[str, ...] = ("dicomweb",)

    alias_kind = AliasKind.SERVER
    job_types = frozenset({"DicomWebStowClient"})

    def path(self, alias: Alias) -> str:
        return path_of("dicom-web", "servers", alias.name, "stow")
