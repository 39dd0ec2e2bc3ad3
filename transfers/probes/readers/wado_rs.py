"""Reading back by WADO-RS, each instance in the transfer syntax that it is stored in (PS3.18 10.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.entries import ManifestEntry
from transfers.errors import TransferError
from transfers.probes.readers.base import Outcome, Readability, ReadingContext
from transfers.probes.readers.http_session import HttpReading
from transfers.probes.readers.part10 import receive
from transfers.wire.dicomweb import DicomWeb


class WadoRsReader:
    """One instance a request, with `transfer-syntax=*`."""

    key = "wado-rs"
    most_at_once = 1

    def can_read(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> Readability:
        """As Reader promises: looks whether the service answers a search; reading itself cannot be tried beforehand."""
        try:
            with WadoRsReading(context) as reading:
                web = DicomWeb(reading.http)
                for entry in entries[:1]:
                    next(iter(web.search_instances(entry.study_instance_uid, entry.series_instance_uid)), None)
        except TransferError as error:
            return Readability(self.key, error=error)
        return Readability(self.key)

    def session(self, entries: Sequence[ManifestEntry], context: ReadingContext) -> WadoRsReading:  # noqa: ARG002  # any will do
        return WadoRsReading(context)


class WadoRsReading(HttpReading):
    """As Session promises."""

    def outcomes(self, entry: ManifestEntry) -> Iterator[Outcome]:
        uids = entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid
        with self.spool(entry) as spool, DicomWeb(self.http).open_instance(*uids) as pieces:
            yield receive(pieces, spool, self.context.stop)
