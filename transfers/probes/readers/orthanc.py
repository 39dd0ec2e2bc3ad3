"""Reading back from Orthanc's REST API; where it keeps files byte for byte, its own digest of them comes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from audit.entries import ManifestEntry
from transfers.errors import InstanceNotFound, TransferError
from transfers.probes.readers.base import Outcome, Readability, ReadingContext, SameFile
from transfers.probes.readers.http_session import HttpReading
from transfers.probes.readers.part10 import receive
from transfers.wire.orthanc import FileState, Orthanc


class OrthancReader:
    """By `/instances/{id}/file`: the file as it is stored."""

    key = "orthanc"
    most_at_once = 1

    def can_read(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> Readability:  # noqa: ARG002  # any
        """As Reader promises: asks what Orthanc it is."""
        try:
            with OrthancReading(context) as reading:
                Orthanc(reading.http).system()
        except TransferError as error:
            return Readability(self.key, error=error)
        return Readability(self.key)

    def session(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> OrthancReading:  # noqa: ARG002  # any will do
        return OrthancReading(context)


class OrthancReading(HttpReading):
    """As Session promises."""

    def outcomes(self, entry: ManifestEntry) -> Iterator[Outcome]:
        """Each copy: its digest where it may be asked for and is that of our file, else its file."""
        orthanc = Orthanc(self.http)
        copies = _copies(orthanc, entry)
        if not copies:
            raise InstanceNotFound
        md5 = self.context.digests.md5_of(entry) if self.context.digests else None
        for orthanc_id in copies:
            yield from self._outcome(orthanc, orthanc_id, entry, md5)

    def _outcome(self, orthanc: Orthanc, orthanc_id: str, entry: ManifestEntry, md5: str | None) -> Iterator[Outcome]:
        state = _state_of_same(orthanc, orthanc_id, md5)
        if state is FileState.INTACT and md5:
            yield SameFile(md5)
            return
        with self.spool(entry) as spool, orthanc.open_file(orthanc_id) as answer:
            copy = receive(answer.chunks(), spool, self.context.stop)
            yield replace(copy, is_corrupt=state is FileState.CORRUPT)


def _copies(orthanc: Orthanc, entry: ManifestEntry) -> Sequence[str]:
    """The Orthanc IDs of the copies under our study and series, be they of several patients; else those elsewhere."""
    anywhere = orthanc.instances_of(entry.sop_instance_uid)
    if len(anywhere) < 2:
        return anywhere
    query = {
        "StudyInstanceUID": entry.study_instance_uid,
        "SeriesInstanceUID": entry.series_instance_uid,
        "SOPInstanceUID": entry.sop_instance_uid,
    }
    return [each for each in orthanc.find_ids("Instance", query) if each in anywhere] or anywhere


def _state_of_same(orthanc: Orthanc, orthanc_id: str, md5: str | None) -> FileState | None:
    """What has become of a file that once had our MD5; None where it is another file.

    The MD5 comes from the index, which keeps it whatever happens to the file: so the file is read there once more.
    """
    if md5 is None or orthanc.attachment_md5(orthanc_id) != md5:
        return None
    return orthanc.verify_md5(orthanc_id)
