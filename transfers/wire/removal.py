"""Removes single instances from an archive that offers it: by Orthanc's REST API, or a DICOMweb service's DELETE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import NamedTuple

from audit.entries import ManifestEntry
from transfers.endpoints import DicomWebEndpoint, OrthancEndpoint
from transfers.errors import CopiesAmbiguous, RequestError, TransferError, TransferStopped
from transfers.wire.dicomweb import DicomWeb
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Orthanc, checked_id, tag_of


class Removal(NamedTuple):
    """What came of one instance."""

    sop_instance_uid: str
    was_there: bool
    error: TransferError | None = None
    """Why it was not removed."""


def remove_instances(
    endpoint: OrthancEndpoint | DicomWebEndpoint, entries: Sequence[ManifestEntry], stop: Event
) -> Iterator[Removal]:
    """Remove these and nothing else, each under its own study and series; never raises for a fault of the peer."""
    try:
        with HttpSession(endpoint, stop) as session:
            remover = _OrthancRemover(session) if isinstance(endpoint, OrthancEndpoint) else _DicomWebRemover(session)
            for entry in entries:
                yield _remove(remover, entry, stop)
    except RequestError as error:  # before anything was asked
        for entry in entries:
            yield Removal(entry.sop_instance_uid, was_there=False, error=error)


def _remove(remover: _OrthancRemover | _DicomWebRemover, entry: ManifestEntry, stop: Event) -> Removal:
    if stop.is_set():
        return Removal(entry.sop_instance_uid, was_there=False, error=TransferStopped())
    try:
        return Removal(entry.sop_instance_uid, remover.remove(entry))
    except (RequestError, CopiesAmbiguous) as error:
        return Removal(entry.sop_instance_uid, was_there=False, error=error)


class _DicomWebRemover:
    def __init__(self, session: HttpSession) -> None:
        self._service = DicomWeb(session)

    def remove(self, entry: ManifestEntry) -> bool:
        return self._service.delete_instance(
            entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid
        )


class _OrthancRemover:
    def __init__(self, session: HttpSession) -> None:
        self._orthanc = Orthanc(session)
        self._places: dict[str, tuple[str, str]] = {}
        """Orthanc ID of a series → Study and Series Instance UID."""

    def remove(self, entry: ManifestEntry) -> bool:
        """Raises CopiesAmbiguous where the same UIDs are there under more than one patient."""
        own = [each for each in self._orthanc.instances_of(entry.sop_instance_uid) if self._is_at(each, entry)]
        if len(own) > 1:
            raise CopiesAmbiguous
        return bool(own) and self._orthanc.delete_instance(own[0])

    def _is_at(self, orthanc_id: str, entry: ManifestEntry) -> bool:
        series_id = checked_id(self._orthanc.resource("Instance", orthanc_id).get("ParentSeries"))
        if series_id not in self._places:
            series = self._orthanc.resource("Series", series_id)
            study = self._orthanc.resource("Study", checked_id(series.get("ParentStudy")))
            self._places[series_id] = tag_of(study, "StudyInstanceUID"), tag_of(series, "SeriesInstanceUID")
        return self._places[series_id] == (entry.study_instance_uid, entry.series_instance_uid)
