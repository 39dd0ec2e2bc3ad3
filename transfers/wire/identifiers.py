"""Identifiers of C-FIND (PS3.4 C.4.1.1.3): questions encoded, answers read for the few elements that are asked for.

Written and read by hand: pydicom takes longer over one identifier than an archive takes to find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from struct import Struct
from typing import NamedTuple

from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from transfers.errors import MalformedPDU
from transfers.wire.foreign_text import uid_text
from transfers.wire.pdu import decode

TRANSFER_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
"""Those that identifiers are written and read in."""

_SOP_CLASS_UID = 0x0008_0016
_SOP_INSTANCE_UID = 0x0008_0018
_QUERY_RETRIEVE_LEVEL = 0x0008_0052
_STUDY_INSTANCE_UID = 0x0020_000D
_SERIES_INSTANCE_UID = 0x0020_000E
_NUMBER_OF_SERIES_RELATED_INSTANCES = 0x0020_1209
_READ_UIDS = (_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID, _SOP_INSTANCE_UID, _SOP_CLASS_UID)
_READ = (*_READ_UIDS, _NUMBER_OF_SERIES_RELATED_INSTANCES)

_EXPLICIT = Struct("<HH2sH")
_IMPLICIT = Struct("<HHI")
_LENGTH = Struct("<I")
_LONGEST_NUMBER = 12
"""VR IS (PS3.5 6.2)."""
_UNDEFINED_LENGTH = 0xFFFFFFFF
_VRS_OF_LONG_LENGTH = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)


class Level(StrEnum):
    """Query/Retrieve Level (PS3.4 C.6.2.1)."""

    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class Query:
    """A question to Study Root about one series; UIDs are put in as they are, so no wildcard may be in them."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str = ""
    """Empty: every instance of the series."""
    level: Level = Level.IMAGE


class Row(NamedTuple):
    """What one answer names; a value that was not given is empty, one that is no UID is escaped (see `uid_text`)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    series_related_instances: int | None = None


def encode_query(query: Query, transfer_syntax: str) -> bytes:
    """Return the identifier of a request in one of TRANSFER_SYNTAXES."""
    is_implicit = transfer_syntax == ImplicitVRLittleEndian
    elements = _elements_at_image(query) if query.level is Level.IMAGE else _elements_at_series(query)
    return b"".join(_encoded(tag, vr, value, is_implicit=is_implicit) for tag, vr, value in elements)


def read_row(identifier: bytes, transfer_syntax: str) -> Row:
    """Return what the identifier of a response names. Raises MalformedPDU where its lengths do not add up."""
    explicit = transfer_syntax != ImplicitVRLittleEndian
    values = _values_explicit(identifier) if explicit else _values_implicit(identifier)
    if values is None:
        values = decode("a list entry", lambda: _values_by_pydicom(identifier, is_implicit=not explicit))
    study, series, instance, sop_class = (uid_text(values.get(tag, b"")) for tag in _READ_UIDS)
    return Row(study, series, instance, sop_class, _number(values.get(_NUMBER_OF_SERIES_RELATED_INSTANCES, b"")))


def _elements_at_image(query: Query) -> Iterator[tuple[int, bytes, str]]:
    yield _SOP_CLASS_UID, b"UI", ""
    yield _SOP_INSTANCE_UID, b"UI", query.sop_instance_uid
    yield _QUERY_RETRIEVE_LEVEL, b"CS", query.level
    yield _STUDY_INSTANCE_UID, b"UI", query.study_instance_uid
    yield _SERIES_INSTANCE_UID, b"UI", query.series_instance_uid


def _elements_at_series(query: Query) -> Iterator[tuple[int, bytes, str]]:
    yield _QUERY_RETRIEVE_LEVEL, b"CS", query.level
    yield _STUDY_INSTANCE_UID, b"UI", query.study_instance_uid
    yield _SERIES_INSTANCE_UID, b"UI", query.series_instance_uid
    yield _NUMBER_OF_SERIES_RELATED_INSTANCES, b"IS", ""


def _encoded(tag: int, vr: bytes, text: str, *, is_implicit: bool) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    group, element = tag >> 16, tag & 0xFFFF
    if is_implicit:
        return _IMPLICIT.pack(group, element, len(value)) + value
    return _EXPLICIT.pack(group, element, vr, len(value)) + value


def _values_explicit(identifier: bytes) -> dict[int, bytes] | None:
    """Values by tag; None where something of undefined length is in it."""
    values = {}
    offset, end = 0, len(identifier)
    while offset < end:
        _check_room(offset + 8, end)
        group, element, vr, length = _EXPLICIT.unpack_from(identifier, offset)
        offset += 8
        if vr in _VRS_OF_LONG_LENGTH:
            _check_room(offset + 4, end)
            (length,) = _LENGTH.unpack_from(identifier, offset)
            offset += 4
            if length == _UNDEFINED_LENGTH:
                return None
        _check_room(offset + length, end)
        values[group << 16 | element] = identifier[offset : offset + length]
        offset += length
    return values


def _values_implicit(identifier: bytes) -> dict[int, bytes] | None:
    """Values by tag; None where something of undefined length is in it."""
    values = {}
    offset, end = 0, len(identifier)
    while offset < end:
        _check_room(offset + 8, end)
        group, element, length = _IMPLICIT.unpack_from(identifier, offset)
        if length == _UNDEFINED_LENGTH:
            return None
        offset += 8
        _check_room(offset + length, end)
        values[group << 16 | element] = identifier[offset : offset + length]
        offset += length
    return values


def _values_by_pydicom(identifier: bytes, *, is_implicit: bool) -> dict[int, bytes]:
    data_set = read_dataset(BytesIO(identifier), is_implicit, True)
    return {tag: bytes(data_set.get_item(Tag(tag)).value or b"") for tag in _READ if tag in data_set}


def _check_room(needed: int, end: int) -> None:
    if needed > end:
        raise MalformedPDU("The destination sent a list entry that ends inside an element.")


def _number(value: bytes) -> int | None:
    digits = value.strip(b"\0 ")
    return int(digits) if digits.isdigit() and len(digits) <= _LONGEST_NUMBER else None
