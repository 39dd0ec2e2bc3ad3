"""Presence by Orthanc's REST API, which tells copies apart: it keys instances by Patient ID and all their UIDs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from audit.chunks import chunks
from transfers.endpoints import OrthancEndpoint
from transfers.errors import ListingEndless, ListingFailed, ResourceNotFound
from transfers.probes.base import ProbeContext
from transfers.probes.findings import SeriesKey
from transfers.probes.http_lines import HttpLine
from transfers.probes.presence import PresenceProbe
from transfers.wire.dimse import ListBounds
from transfers.wire.foreign_text import uid_text
from transfers.wire.identifiers import Level, Query, Row
from transfers.wire.orthanc import Orthanc, Resource, checked_id, tag_of

_ASKED_AT_ONCE = 100
"""Instances in one search by name: Orthanc's time for it grows faster than their number."""


class OrthancProbe(PresenceProbe):
    """Asks an Orthanc by its own API."""

    key = "orthanc"

    @contextmanager
    def line(self, context: ProbeContext, bounds: ListBounds) -> Iterator[OrthancLine]:
        assert isinstance(context.endpoint, OrthancEndpoint), "Orthanc's API is for Orthanc destinations"
        yield OrthancLine(context.endpoint, bounds, context.stop)


class OrthancLine(HttpLine):
    """As Line promises."""

    service = "Orthanc REST"

    def __init__(self, endpoint: OrthancEndpoint, bounds: ListBounds, stop: Event) -> None:
        super().__init__(endpoint, stop)
        self._bounds = bounds
        self._client: Orthanc | None = None
        self._study_uids: dict[str, str] = {}
        """By Orthanc ID."""
        self._seen: set[str] = set()
        """Orthanc IDs of the instances that were told of."""

    def open(self) -> None:
        client = Orthanc(self._new_session())
        try:
            client.system()
        except BaseException:
            self.close()
            raise
        self._client = client

    def ask(self, query: Query) -> Iterator[Row]:
        if query.level is Level.SERIES:
            return self._counts(query)
        return self._copies_of(query.sop_instance_uid) if query.sop_instance_uid else self._list(query)

    def ask_for_copies(self, sop_instance_uids: Sequence[str]) -> Iterator[Row]:
        for some in chunks(sop_instance_uids, _ASKED_AT_ONCE):
            # Values with a backslash between them match each of them (PS3.4 C.2.2.2.2).
            found = self._orthanc.find_ids("Instance", {"SOPInstanceUID": "\\".join(some)})
            others = set(found) - self._seen
            while others:
                yield from self._rows_beside(min(others), others)
                others -= self._seen

    def _list(self, query: Query) -> Iterator[Row]:
        """Every instance of the series; of each of them where two patients have one with the same UIDs."""
        for series in self._series(query.study_instance_uid, query.series_instance_uid):
            try:
                place = self._place(series)
                listed = self._orthanc.instances_of_series(checked_id(series.get("ID")))
            except ResourceNotFound as error:
                raise ListingFailed("A series went away while it was listed.") from error
            yield from (self._row(place, each) for each in listed)
            if len(listed) > self._bounds.rows:
                raise ListingEndless
            if len(listed) < _count(series):
                raise ListingFailed("Orthanc lists fewer instances of a series than it counts. Its log may say why.")

    def _copies_of(self, sop_instance_uid: str) -> Iterator[Row]:
        for orthanc_id in self._orthanc.instances_of(sop_instance_uid):
            try:
                instance = self._orthanc.resource("Instance", orthanc_id)
                series = self._orthanc.resource("Series", checked_id(instance.get("ParentSeries")))
                yield self._row(self._place(series), instance)
            except ResourceNotFound:  # deleted this moment
                continue

    def _counts(self, query: Query) -> Iterator[Row]:
        counts: dict[SeriesKey, int] = {}
        for series in self._series(query.study_instance_uid):
            place = self._place(series)
            counts[place] = counts.get(place, 0) + _count(series)
        return (Row(*place, "", "", count) for place, count in counts.items())

    def _rows_beside(self, orthanc_id: str, wanted: set[str]) -> Iterator[Row]:
        """The instance, and those wanted that are in the same series."""
        self._seen.add(orthanc_id)
        instance = self._orthanc.resource("Instance", orthanc_id)
        series = self._orthanc.resource("Series", checked_id(instance.get("ParentSeries")))
        place = self._place(series)
        for each in self._orthanc.instances_of_series(checked_id(series.get("ID"))):
            if each.get("ID") in wanted:
                yield self._row(place, each)

    def _series(self, study_instance_uid: str, series_instance_uid: str = "") -> list[Resource]:
        wanted = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": series_instance_uid}
        return self._orthanc.find("Series", {keyword: uid for keyword, uid in wanted.items() if uid})

    def _place(self, series: Resource) -> SeriesKey:
        study_id = checked_id(series.get("ParentStudy"))
        if study_id not in self._study_uids:
            self._study_uids[study_id] = _uid(self._orthanc.resource("Study", study_id), "StudyInstanceUID")
        return SeriesKey(self._study_uids[study_id], _uid(series, "SeriesInstanceUID"))

    def _row(self, place: SeriesKey, instance: Resource) -> Row:
        orthanc_id = checked_id(instance.get("ID"))
        self._seen.add(orthanc_id)
        return Row(*place, _uid(instance, "SOPInstanceUID"), copy_id=orthanc_id)

    @property
    def _orthanc(self) -> Orthanc:
        assert self._client is not None, "it is not open"
        return self._client


def _count(series: Resource) -> int:
    instances = series.get("Instances")
    return len(instances) if isinstance(instances, list) else 0


def _uid(resource: Resource, keyword: str) -> str:
    return uid_text(tag_of(resource, keyword).encode("utf-8", "backslashreplace"))
