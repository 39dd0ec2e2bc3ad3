"""Looks into an Orthanc's log of changes for its StableStudy event, and how much of a study was there when it fired.

Orthanc tells StableStudy once nothing new came for a while (StableAge), whatever is missing. It keeps one such entry a
study in its log, and forgets the earlier: so who wants to see each has to look again and again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from threading import Event

from transfers.endpoints import OrthancEndpoint
from transfers.errors import ResourceNotFound
from transfers.wire.http import HttpSession
from transfers.wire.orthanc import Change, Orthanc, checked_id, tag_of

_STABLE_STUDY = "StableStudy"
_MOST_PAGES = 100
"""Read in one look, a thousand changes each; the rest is for the next."""


@dataclass(frozen=True, slots=True)
class StableStudy:
    """The event fired for the study, some time before it was looked for."""

    stored: int
    """Instances of the manifest that were there when it was looked for."""


class StableStudyWatch:
    """Of one study. Its methods raise RequestError."""

    def __init__(self, endpoint: OrthancEndpoint, study_instance_uid: str, stop: Event) -> None:
        self._endpoint = endpoint
        self._study_instance_uid = study_instance_uid
        self._stop = stop

    def newest_change(self) -> int:
        """The sequence number after which to look."""
        with HttpSession(self._endpoint, self._stop) as session:
            return Orthanc(session).last_change()

    def look(self, since: int, sop_instance_uids: Collection[str]) -> tuple[list[StableStudy], int]:
        """What fired after the change with this sequence number, and the number to go on after."""
        with HttpSession(self._endpoint, self._stop) as session:
            orthanc = Orthanc(session)
            fired, since = self._read(orthanc, since)
            return [StableStudy(_stored(orthanc, each, sop_instance_uids)) for each in fired], since

    def _read(self, orthanc: Orthanc, since: int) -> tuple[list[str], int]:
        """The Orthanc IDs of the study, one for each time that it fired."""
        fired = []
        for _ in range(_MOST_PAGES):
            page = orthanc.changes(since)
            fired += [change.orthanc_id for change in page.changes if self._is_ours(orthanc, change)]
            since = max(since, page.last)
            if page.is_done:
                break
        return fired, since

    def _is_ours(self, orthanc: Orthanc, change: Change) -> bool:
        if change.change_type != _STABLE_STUDY:
            return False
        try:
            study = orthanc.resource("Study", change.orthanc_id)
        except ResourceNotFound:  # deleted since
            return False
        return tag_of(study, "StudyInstanceUID") == self._study_instance_uid


def _stored(orthanc: Orthanc, study_id: str, sop_instance_uids: Collection[str]) -> int:
    try:
        study = orthanc.resource("Study", study_id)
        series_ids = [checked_id(each) for each in study.get("Series") or []]
        instances = [each for series_id in series_ids for each in orthanc.instances_of_series(series_id)]
    except ResourceNotFound:
        return 0
    return len({tag_of(each, "SOPInstanceUID") for each in instances} & set(sop_instance_uids))
