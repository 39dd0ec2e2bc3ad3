"""The calls of DICOMweb (PS3.18) that we need: searching instances page by page, retrieving one, deleting one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from transfers.errors import ListingEndless, MalformedAnswer, RequestRefused, ResourceNotFound
from transfers.wire.dimse import ListBounds
from transfers.wire.foreign_text import uid_text
from transfers.wire.http import HttpAnswer, HttpSession, path_of
from transfers.wire.identifiers import Row
from transfers.wire.multipart import boundary_of, only_part

PAGE = 5000
"""How many instances are asked for at a time; a server may answer with fewer."""
JSON = "application/dicom+json"
_DICOM = "application/dicom"
_MULTIPART = "multipart/related"
_AS_STORED = f'{_MULTIPART}; type="{_DICOM}"; transfer-syntax=*'

_SOP_CLASS_UID = "00080016"
_SOP_INSTANCE_UID = "00080018"
_PATIENT_ID = "00100020"
_STUDY_INSTANCE_UID = "0020000D"
_SERIES_INSTANCE_UID = "0020000E"
_NUMBER_OF_SERIES_RELATED_INSTANCES = "00201209"
_READ_UIDS = (_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID, _SOP_INSTANCE_UID, _SOP_CLASS_UID)

_LONGEST_NUMBER = 12
"""VR IS (PS3.5 6.2)."""

Parameters = list[tuple[str, str | int]]

ANY_BOUNDS = ListBounds()


class DicomWeb:
    """All raise RequestError."""

    def __init__(self, session: HttpSession) -> None:
        self.session = session
        self._names_fields = True
        """Whether searches say which attributes they want: some servers refuse one that does."""
        self._limits_pages = True
        """Whether they say how many they want at a time: some servers refuse what is more than they ever give."""

    def search_instances(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uid: str = "",
        bounds: ListBounds = ANY_BOUNDS,
    ) -> Iterator[Row]:
        """QIDO-RS for the instances of a series, or for one of them (PS3.18 10.6).

        The list ends on an empty page and on nothing else, since a server may cap its pages. Raises ListingEndless
        where the same page comes again, or more than `bounds` allows.
        """
        path = path_of("studies", study_instance_uid, "series", series_instance_uid, "instances")
        place: Parameters = [("StudyInstanceUID", study_instance_uid), ("SeriesInstanceUID", series_instance_uid)]
        matching: Parameters = [("SOPInstanceUID", sop_instance_uid)] if sop_instance_uid else []
        fields = (_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID, _SOP_CLASS_UID)

        def page(offset: int) -> list[Row]:
            try:
                return self._page(path, matching, fields, offset)
            except ResourceNotFound:
                # Some servers say so of a series that they do not hold. This search is for a resource that exists.
                return self._page("/instances", place + matching, fields, offset)

        def is_answered(rows: list[Row]) -> bool:
            return bool(sop_instance_uid) and all(row.sop_instance_uid == sop_instance_uid for row in rows)

        return _paged(page, bounds, is_answered)

    def search_series(self, study_instance_uid: str, bounds: ListBounds = ANY_BOUNDS) -> Iterator[Row]:
        """QIDO-RS for the series of a study, with the number of their instances where the server gives it."""
        path = path_of("studies", study_instance_uid, "series")
        fields = (_NUMBER_OF_SERIES_RELATED_INSTANCES,)
        return _paged(lambda offset: self._page(path, [], fields, offset), bounds)

    def search_studies(self, study_instance_uid: str) -> list[Row]:
        """QIDO-RS for a study: the first of what is answered, or all of it where no limit may be named."""
        matching: Parameters = [("StudyInstanceUID", study_instance_uid)]
        try:
            return self._rows("/studies", [*matching, ("limit", 1)])
        except RequestRefused as error:
            if error.status_code != HTTPStatus.BAD_REQUEST:
                raise
        return self._rows("/studies", matching)

    def delete_instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Delete it (no transaction of PS3.18, but offered by many); False where it was not there."""
        path = _instance_path(study_instance_uid, series_instance_uid, sop_instance_uid)
        with self.session.open("DELETE", path, accepted=(HTTPStatus.NOT_FOUND,)) as answer:
            return answer.status_code != HTTPStatus.NOT_FOUND

    @contextmanager
    def open_instance(
        self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
    ) -> Iterator[Iterator[bytes]]:
        """WADO-RS for one instance (PS3.18 10.4) in the transfer syntax that it is stored in: its Part 10 file.

        Given are its pieces. An end that comes too early is noticed (AnswerCut, MalformedAnswer).
        """
        path = _instance_path(study_instance_uid, series_instance_uid, sop_instance_uid)
        with self.session.open("GET", path, headers={"Accept": _AS_STORED}) as answer:
            yield _part10(answer)

    def _page(self, path: str, matching: Parameters, fields: tuple[str, ...], offset: int) -> list[Row]:
        """One page; what the server refuses to be told is left out from then on."""
        while True:
            named: Parameters = [("includefield", field) for field in fields if self._names_fields]
            limit: Parameters = [("limit", PAGE)] if self._limits_pages else []
            try:
                return self._rows(path, [*matching, *named, *limit, ("offset", offset)])
            except RequestRefused as error:
                if error.status_code != HTTPStatus.BAD_REQUEST or not (named or limit):
                    raise
            if limit:
                self._limits_pages = False
            else:
                self._names_fields = False

    def _rows(self, path: str, parameters: Parameters) -> list[Row]:
        answer = self.session.get_json(path, parameters=parameters, accept=JSON)
        if answer is None:  # 204: nothing matches
            return []
        if not isinstance(answer, list):
            raise MalformedAnswer("The service's list of instances cannot be read.")
        return [_row(each) for each in answer]


def _paged(
    page: Callable[[int], list[Row]], bounds: ListBounds, is_answered: Callable[[list[Row]], bool] = lambda _: False
) -> Iterator[Row]:
    deadline = time.monotonic() + bounds.seconds
    seen: set[Row] = set()
    offset = 0
    while rows := page(offset):
        if seen.issuperset(rows):
            raise ListingEndless("The service answers the same page of its list again, whatever is asked. See its log.")
        yield from rows
        if is_answered(rows):
            return
        seen.update(rows)
        offset += len(rows)
        if offset > bounds.rows or time.monotonic() > deadline:
            raise ListingEndless(f"The service's list did not end within {offset:,} rows. Its log may say why.")


def _row(data_set: Any) -> Row:
    study, series, instance, sop_class = (uid_text(_value(data_set, tag)) for tag in _READ_UIDS)
    count = _value(data_set, _NUMBER_OF_SERIES_RELATED_INSTANCES)
    number = int(count) if count.isdigit() and len(count) <= _LONGEST_NUMBER else None
    # Two patients may have an instance with the same UIDs; whose it is must be told apart, and not be known.
    patient_id = _value(data_set, _PATIENT_ID)
    copy_id = sha256(patient_id).hexdigest() if patient_id else ""
    return Row(study, series, instance, sop_class, number, copy_id)


def _value(data_set: Any, tag: str) -> bytes:
    """The first value of an element of the DICOM JSON Model (PS3.18 F.2); empty where there is none."""
    try:
        values = data_set.get(tag, {}).get("Value", [])
        value = values[0] if values else None
    except (AttributeError, KeyError, TypeError) as error:
        raise MalformedAnswer("The service's list of instances cannot be read.") from error
    return b"" if value is None else str(value).encode("utf-8", "backslashreplace")


def _instance_path(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
    return path_of("studies", study_instance_uid, "series", series_instance_uid, "instances", sop_instance_uid)


def _part10(answer: HttpAnswer) -> Iterator[bytes]:
    """The one file in an answer; servers may send it bare, against the standard."""
    answer.expect({_MULTIPART, _DICOM})
    if answer.media_type == _MULTIPART:
        return only_part(answer.chunks(), boundary_of(answer.headers["Content-Type"]), _DICOM)
    if not answer.says_its_length:
        raise MalformedAnswer("The service does not say how long the instance is, so nothing shows its end.")
    return answer.chunks()
