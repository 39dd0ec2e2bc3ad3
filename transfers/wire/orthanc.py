"""The calls of Orthanc's REST API that we need: what it holds, its bytes, its digests, deletion, and its changes.

Orthanc identifies a resource by the SHA-1 of its Patient ID and its UIDs, so the same SOP Instance UID can be there
more than once; each of the copies has an Orthanc ID of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal

from audit.uids import is_regular
from transfers.errors import MalformedAnswer, NotTheService
from transfers.wire.foreign_text import clean_text
from transfers.wire.http import HttpAnswer, HttpSession

Level = Literal["Patient", "Study", "Series", "Instance"]
Resource = Mapping[str, Any]
"""One resource as Orthanc describes it: `ID`, `MainDicomTags`, `ParentSeries` …"""

_ORTHANC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_LARGEST_DIGEST_BYTES = 1024


class FileState(StrEnum):
    """What Orthanc finds when it reads the file of an instance again and takes its MD5."""

    INTACT = "intact"
    CORRUPT = "corrupt"
    """Its MD5 is another one than when it was stored."""
    UNREADABLE = "unreadable"
    """It cannot be read, be it that it is gone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of Orthanc's log of changes."""

    sequence: int
    change_type: str
    """NewInstance, StableStudy …"""
    resource_type: str
    orthanc_id: str


@dataclass(frozen=True, slots=True)
class Changes:
    """A stretch of the log, the oldest first."""

    changes: tuple[Change, ...]
    last: int
    """The sequence to go on after."""
    is_done: bool
    """Whether there was nothing more at that moment."""


class Orthanc:
    """All raise RequestError; what is no Orthanc ID is not asked for, but is a MalformedAnswer."""

    def __init__(self, session: HttpSession) -> None:
        self.session = session

    def system(self) -> Resource:
        """Raises NotTheService where what answers is no Orthanc."""
        answer = self.session.get_json("/system")
        if not isinstance(answer, dict) or not isinstance(answer.get("Version"), str):
            raise NotTheService("What answers is no Orthanc. Check the path in the URL.")
        return answer

    def plugins(self) -> tuple[str, ...]:
        return tuple(clean_text(str(each)) for each in _listed(self.session.get_json("/plugins")))

    def find(self, level: Level, query: Mapping[str, str]) -> list[Resource]:
        """The resources that match; values are put in as they are, so no wildcard may be in them."""
        question = {"Level": level, "Query": query, "Expand": True}
        return _resources(self.session.post_json("/tools/find", question, is_repeatable=True))

    def find_ids(self, level: Level, query: Mapping[str, str]) -> list[str]:
        """The Orthanc IDs of what matches: as `find`, and faster."""
        found = self.session.post_json("/tools/find", {"Level": level, "Query": query}, is_repeatable=True)
        return [checked_id(each) for each in _listed(found)]

    def instances_of_series(self, series_id: str) -> list[Resource]:
        return _resources(self.session.get_json(f"/series/{checked_id(series_id)}/instances"))

    def resource(self, level: Level, orthanc_id: str) -> Resource:
        """Raises ResourceNotFound where it is not there (any more)."""
        folder = {"Patient": "patients", "Study": "studies", "Series": "series", "Instance": "instances"}[level]
        return _resource(self.session.get_json(f"/{folder}/{checked_id(orthanc_id)}"))

    def instances_of(self, sop_instance_uid: str) -> tuple[str, ...]:
        """The Orthanc IDs of all copies, under whatever study and patient."""
        headers = {"Content-Type": "text/plain", "Accept": "application/json"}
        body = sop_instance_uid.encode()
        with self.session.open("POST", "/tools/lookup", headers=headers, body=body, is_repeatable=True) as answer:
            found = _resources(answer.json())
        ids = tuple(checked_id(each["ID"]) for each in found if each.get("Type") == "Instance")
        # Orthanc takes upper and lower case for the same, which only matters to UIDs that have letters.
        return ids if is_regular(sop_instance_uid) else tuple(each for each in ids if self._is(each, sop_instance_uid))

    def _is(self, orthanc_id: str, sop_instance_uid: str) -> bool:
        return tag_of(self.resource("Instance", orthanc_id), "SOPInstanceUID").rstrip("\0 ") == sop_instance_uid

    @contextmanager
    def open_file(self, orthanc_id: str) -> Iterator[HttpAnswer]:
        """The Part 10 file as it is stored, to be read by `chunks`."""
        with self.session.open("GET", f"/instances/{checked_id(orthanc_id)}/file") as answer:
            answer.expect({"application/dicom", "application/octet-stream"})
            if not answer.says_its_length:
                raise MalformedAnswer("The service does not say how long the file is, so nothing shows its end.")
            yield answer

    def attachment_md5(self, orthanc_id: str) -> str:
        """The MD5 (hex) that the file had when it was stored: from the index, whatever has become of the file."""
        path = f"/instances/{checked_id(orthanc_id)}/attachments/dicom/md5"
        with self.session.open("GET", path) as answer:
            digest = answer.read(_LARGEST_DIGEST_BYTES).decode("latin-1").strip().lower()
        if not _MD5.fullmatch(digest):
            raise MalformedAnswer("The service answered something that is no MD5.")
        return digest

    def verify_md5(self, orthanc_id: str) -> FileState:
        """Have the file read again and compared with that MD5. Raises ResourceNotFound for one that is not there."""
        path = f"/instances/{checked_id(orthanc_id)}/attachments/dicom/verify-md5"
        with self.session.open("POST", path, body=b"", accepted=(400, 500)) as answer:
            states = {400: FileState.CORRUPT, 500: FileState.UNREADABLE}
            return states.get(answer.status_code, FileState.INTACT)

    def delete_instance(self, orthanc_id: str) -> bool:
        """Delete it, and so its series, study and patient where it was their last; False where it was not there."""
        with self.session.open("DELETE", f"/instances/{checked_id(orthanc_id)}", accepted=(404,)) as answer:
            return answer.status_code != HTTPStatus.NOT_FOUND

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """What happened after the change with this sequence."""
        return _changes(self.session.get_json("/changes", parameters={"since": since, "limit": limit}))

    def last_change(self) -> int:
        """The sequence of the newest change; 0 where there is none."""
        return _changes(self.session.get_json("/changes?last")).last


def checked_id(orthanc_id: Any) -> str:
    """Return it where it has the form of an Orthanc ID, so that it leads nowhere else. Raises MalformedAnswer."""
    if not isinstance(orthanc_id, str) or not _ORTHANC_ID.fullmatch(orthanc_id):
        raise MalformedAnswer("The service gave an identifier that is none of Orthanc's.")
    return orthanc_id


def tag_of(resource: Resource, keyword: str) -> str:
    """A main tag of a resource; empty where it is not given."""
    tags = resource.get("MainDicomTags")
    value = tags.get(keyword) if isinstance(tags, dict) else None
    return value if isinstance(value, str) else ""


def _changes(answer: Any) -> Changes:
    try:
        changes = tuple(
            Change(
                int(each["Seq"]),
                clean_text(str(each["ChangeType"])),
                clean_text(str(each["ResourceType"])),
                clean_text(str(each["ID"])),
            )
            for each in answer["Changes"]
        )
        return Changes(changes, int(answer["Last"]), answer["Done"] is True)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedAnswer("The service's log of changes cannot be read.") from error


def _resources(answer: Any) -> list[Resource]:
    return [_resource(each) for each in _listed(answer)]


def _resource(answer: Any) -> Resource:
    if not isinstance(answer, dict):
        raise MalformedAnswer
    return answer


def _listed(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise MalformedAnswer
    return answer
