"""Presence by QIDO-RS: the instances of each series, page by page, over a session of its own (PS3.18 10.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from transfers.endpoints import DicomWebEndpoint
from transfers.probes.base import ProbeContext
from transfers.probes.http_lines import HttpLine
from transfers.probes.presence import PresenceProbe
from transfers.wire.dicomweb import DicomWeb
from transfers.wire.dimse import ListBounds
from transfers.wire.identifiers import Level, Query, Row


class QidoRsProbe(PresenceProbe):
    """Asks a DICOMweb service for its lists."""

    key = "qido-rs"

    @contextmanager
    def line(self, context: ProbeContext, bounds: ListBounds) -> Iterator[QidoLine]:
        assert isinstance(context.endpoint, DicomWebEndpoint), "QIDO-RS is for DICOMweb destinations"
        yield QidoLine(context.endpoint, bounds, context.stop)


class QidoLine(HttpLine):
    """As Line promises."""

    service = "QIDO-RS"

    def __init__(self, endpoint: DicomWebEndpoint, bounds: ListBounds, stop: Event) -> None:
        super().__init__(endpoint, stop)
        self._endpoint: DicomWebEndpoint = endpoint
        self._bounds = bounds
        self._client: DicomWeb | None = None

    def beside(self) -> Sequence[QidoLine]:
        """As many as make up the requests that may be under way there at once: each is answered from a search."""
        endpoint, bounds, stop = self._endpoint, self._bounds, self._stop
        return [QidoLine(endpoint, bounds, stop) for _ in range(endpoint.connections - 1)]

    def open(self) -> None:
        self._client = DicomWeb(self._new_session())

    def ask(self, query: Query) -> Iterator[Row]:
        assert self._client is not None, "it is not open"
        if query.level is Level.SERIES:
            return self._client.search_series(query.study_instance_uid, self._bounds)
        return self._client.search_instances(
            query.study_instance_uid, query.series_instance_uid, query.sop_instance_uid, self._bounds
        )

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> Iterator[Row]:  # noqa: ARG002 it does not tell
        return iter(())
