"""C-FIND of a scripted archive: Study Root, relational, single values and lists of UIDs (PS3.4 C.4.1 and C.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pynetdicom.dsutils import decode, encode

from tests.fakes.acts import Act, Answer
from tests.fakes.link import Ended
from tests.fakes.script import FindRequest, Row, RowTurn, planned

if TYPE_CHECKING:
    from tests.fakes.association import ServedAssociation
    from tests.fakes.messages import Message

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
SUCCESS, CANCELLED, PENDING = 0x0000, 0xFE00, 0xFF00
UNIQUE_KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


def serve_find(association: ServedAssociation, message: Message) -> None:
    """Answer a C-FIND-RQ row by row, as far as the script lets it come."""
    archive, script = association.archive, association.archive.script
    identifier = _decoded(message)
    request = archive.log.asked(str(identifier.get("QueryRetrieveLevel", "")), _keys(identifier))
    if _is_ended(association, message, planned(script.on_find, request)):
        return
    rows: Iterable[Row] = matching_rows(request, archive.listed())
    number = 0
    for number, row in enumerate(script.rows(request, list(rows)) if script.rows else rows, start=1):
        if _is_interrupted(association, message, RowTurn(number, request)):
            return
        association.actor.answer(message, Answer(PENDING), _encoded(row, identifier, message))
    if not _is_interrupted(association, message, RowTurn(number + 1, request)):
        association.actor.answer(message, Answer(SUCCESS))


def matching_rows(request: FindRequest, identities: Sequence[Row]) -> list[Row]:
    """One row for each entity of the level that has an instance which matches every key."""
    unique_key = UNIQUE_KEYS.get(request.level, "SOPInstanceUID")
    rows: dict[str, Row] = {}
    for identity in identities:
        if all(_matches(identity.get(keyword, ""), wanted) for keyword, wanted in request.keys.items()):
            rows.setdefault(identity[unique_key], identity | _counts(identity, identities))
    return list(rows.values())


def _matches(value: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or value in wanted


def _counts(identity: Row, identities: Sequence[Row]) -> Row:
    of_study = [other for other in identities if other["StudyInstanceUID"] == identity["StudyInstanceUID"]]
    of_series = [other for other in of_study if other["SeriesInstanceUID"] == identity["SeriesInstanceUID"]]
    return {
        "NumberOfStudyRelatedSeries": str(len({other["SeriesInstanceUID"] for other in of_study})),
        "NumberOfStudyRelatedInstances": str(len(of_study)),
        "NumberOfSeriesRelatedInstances": str(len(of_series)),
    }


def _is_interrupted(association: ServedAssociation, message: Message, turn: RowTurn) -> bool:
    if association.archive.stopping.is_set():
        raise Ended("stopped")
    if association.link.has_input():
        association.expect_cancel()
        association.actor.answer(message, Answer(CANCELLED))
        return True
    return _is_ended(association, message, planned(association.archive.script.on_row, turn))


def _is_ended(association: ServedAssociation, message: Message, act: Act | None) -> bool:
    """Do the act; an answer that has nothing but a delay only takes its time."""
    if act is None:
        return False
    if isinstance(act, Answer) and replace(act, delay_seconds=0.0) == Answer():
        association.archive.stopping.wait(act.delay_seconds)
        return False
    association.actor.do_or_answer(message, act)
    return True


def _decoded(message: Message) -> Dataset:
    syntax = UID(message.transfer_syntax_uid)
    return decode(BytesIO(message.data_set), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)


def _keys(identifier: Dataset) -> Mapping[str, tuple[str, ...]]:
    return {
        element.keyword: _values(element.value) for element in identifier if element.keyword != "QueryRetrieveLevel"
    }


def _values(value: object) -> tuple[str, ...]:
    if isinstance(value, MultiValue):
        return tuple(map(str, value))
    return () if value in (None, "") else (str(value),)


def _encoded(row: Row, identifier: Dataset, message: Message) -> bytes:
    """The row, with no more than what was asked for."""
    answer = Dataset()
    answer.QueryRetrieveLevel = identifier.QueryRetrieveLevel
    for element in identifier:
        if element.keyword != "QueryRetrieveLevel":
            setattr(answer, element.keyword, row.get(element.keyword) or None)
    syntax = UID(message.transfer_syntax_uid)
    encoded = encode(answer, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert encoded is not None, "a row of the script cannot be encoded"
    return encoded
