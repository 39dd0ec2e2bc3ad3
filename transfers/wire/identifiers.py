"""Identifiers of C-FIND and C-GET (PS3.4 C.4.1.1.3, C.4.3.1.3): encoded, and read for the few elements asked for.

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
    wants_sop_class: bool = True
    """Whether each answer is to name the SOP class: an archive may have to open every file for that."""


class Row(NamedTuple):
    """What one answer names; a value that was not given is empty, one that is no UID is escaped (see `uid_text`)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    series_related_instances: int | None = None
    copy_id: str = ""
    """Tells two copies of an instance apart, where the destination does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Instances of one series that are to be retrieved by name."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    """At most MOST_WANTED."""


MOST_WANTED = 500
"""Of 64 characters each they fit into one value of explicit VR (PS3.5 7.1.2)."""


def encode_query(query: Query, transfer_syntax: str) -> bytes:
    """Return the identifier of a C-FIND request in one of TRANSFER_SYNTAXES."""
    elements = _elements_at_image(query) if query.level is Level.IMAGE else _elements_at_series(query)
    return _identifier(elements, transfer_syntax)


def encode_wanted(wanted: Wanted, transfer_syntax: str) -> bytes:
    """Return the identifier of a C-GET request at IMAGE level in one of TRANSFER_SYNTAXES; UIDs go in as they are."""
    return _identifier(_elements_wanted(wanted), transfer_syntax)


def read_row(identifier: bytes, transfer_syntax: str) -> Row:
    """Return what the identifier of a response names. Raises MalformedPDU where its lengths do not add up."""
    explicit = transfer_syntax != ImplicitVRLittleEndian
    values = _values_explicit(identifier) if explicit else _values_implicit(identifier)
    if values is None:
        values = decode("a list entry", lambda: _values_by_pydicom(identifier, is_implicit=not explicit))
    study, series, instance, sop_class = (uid_text(values.get(tag, b"")) for tag in _READ_UIDS)
    return Row(study, series, instance, sop_class, _number(values.get(_NUMBER_OF_SERIES_RELATED_INSTANCES, b"")))


def _identifier(elements: Iterator[tuple[int, bytes, str]], transfer_syntax: str) -> bytes:
    is_implicit = transfer_syntax == ImplicitVRLittleEndian
    return b"".join(_encoded(tag, vr, value, is_implicit=is_implicit) for tag, vr, value in elements)


def _elements_wanted(wanted: Wanted) -> Iterator[tuple[int, bytes, str]]:
    yield _SOP_INSTANCE_UID, b"UI", "\\".join(wanted.sop_instance_uids)
    yield _QUERY_RETRIEVE_LEVEL, b"CS", Level.IMAGE
    yield _STUDY_INSTANCE_UID, b"UI", wanted.study_instance_uid
    yield _SERIES_INSTANCE_UID, b"UI", wanted.series_instance_uid


def _elements_at_image(query: Query) -> Iterator[tuple[int, bytes, str]]:
    if query.wants_sop_class:
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
