"""What goes to and fro in Storage Commitment (PS3.4 J.3.2 and J.3.3): requests encoded, reports read.

Read by hand and strictly: pydicom takes a data set that ends too soon for a whole one, and what a cut report leaves out
might be its list of failures. So lengths have to add up, and whatever is not understood makes the report void.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple, TypeAlias, Union

from pydicom.uid import ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from audit.uids import UnsafeUid, uid_of
from transfers.errors import ReportNotUnderstood
from transfers.wire.foreign_text import uid_text

ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs (PS3.4 table J.3-2)."""

_REFERENCED_SOP_CLASS_UID = 0x0008_1150
_REFERENCED_SOP_INSTANCE_UID = 0x0008_1155
_TRANSACTION_UID = 0x0008_1195
_FAILURE_REASON = 0x0008_1197
_FAILED_SOP_SEQUENCE = 0x0008_1198
_REFERENCED_SOP_SEQUENCE = 0x0008_1199
_SEQUENCES = frozenset({_FAILED_SOP_SEQUENCE, _REFERENCED_SOP_SEQUENCE})

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD
_UNDEFINED_LENGTH = 0xFFFF_FFFF
_DEEPEST = 8
"""Sequences within sequences; a report needs one."""
_EXPLICIT = Struct("<HH2sH")
_IMPLICIT = Struct("<HHI")
_LENGTH = Struct("<I")
_VRS_OF_SHORT_LENGTH = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_16)
_VRS_OF_LONG_LENGTH = frozenset(vr.value.encode() for vr in EXPLICIT_VR_LENGTH_32)

_Value: TypeAlias = Union[bytes, "list[_Elements]"]
_Elements: TypeAlias = dict[int, _Value]


class Reference(NamedTuple):
    """An instance that is asked about, or committed to."""

    sop_class_uid: str
    sop_instance_uid: str


class FailedReference(NamedTuple):
    """An instance that the destination does not commit to."""

    sop_class_uid: str
    """Empty where the report does not say."""
    sop_instance_uid: str
    failure_reason: int | None
    """PS3.3 C.14.1.1; None where the report does not say."""


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a destination says that it commits to, and what it does not.

    The lists are as they came: an instance may be in both, more than once, or one that nobody asked about; the event
    type may contradict them. A UID that could do harm is escaped and quoted, and so equals no other.
    """

    transaction_uid: str
    event_type_id: int
    committed: tuple[Reference, ...]
    failed: tuple[FailedReference, ...]


def encode_request(transaction_uid: str, references: Iterable[Reference], transfer_syntax: str) -> bytes:
    """Return the Action Information of an N-ACTION, in Explicit or Implicit VR Little Endian."""
    is_implicit = transfer_syntax == ImplicitVRLittleEndian
    items = b"".join(_items(references, is_implicit=is_implicit))
    return _encoded(_TRANSACTION_UID, b"UI", _uid(transaction_uid), is_implicit=is_implicit) + _encoded(
        _REFERENCED_SOP_SEQUENCE, b"SQ", items, is_implicit=is_implicit
    )


def read_report(event_type_id: int | None, information: bytes, transfer_syntax: str) -> CommitmentReport:
    """Return what the Event Information of an N-EVENT-REPORT says. Raises ReportNotUnderstood."""
    if event_type_id not in (ALL_COMMITTED, SOME_FAILED):
        raise ReportNotUnderstood(f"A report has an event type that DICOM does not know ({event_type_id}), see J.3.3.")
    elements = _read(information, is_implicit=transfer_syntax == ImplicitVRLittleEndian)
    if not _SEQUENCES & elements.keys():
        raise ReportNotUnderstood("A report lists neither what is committed nor what has failed (PS3.4 table J.3-2).")
    return CommitmentReport(
        transaction_uid=_transaction_uid(elements),
        event_type_id=event_type_id,
        committed=tuple(_committed(item) for item in _sequence(elements, _REFERENCED_SOP_SEQUENCE)),
        failed=tuple(_failed(item) for item in _sequence(elements, _FAILED_SOP_SEQUENCE)),
    )


def _transaction_uid(elements: _Elements) -> str:
    """It is looked for in the database, so it has to be one."""
    value = elements.get(_TRANSACTION_UID, b"")
    try:
        uid = uid_of(value.strip(b"\0 ")) if isinstance(value, bytes) else ""
    except UnsafeUid as error:
        raise ReportNotUnderstood(f"A report has a Transaction UID that {error}. It was not used.") from error
    if not uid:
        raise ReportNotUnderstood("A report has no Transaction UID; it was not used.")
    return uid


def _committed(item: _Elements) -> Reference:
    return Reference(_uid_of(item, _REFERENCED_SOP_CLASS_UID), _uid_of(item, _REFERENCED_SOP_INSTANCE_UID))


def _failed(item: _Elements) -> FailedReference:
    sop_class_uid = _text(item, _REFERENCED_SOP_CLASS_UID)
    return FailedReference(sop_class_uid, _uid_of(item, _REFERENCED_SOP_INSTANCE_UID), _failure_reason(item))


def _uid_of(elements: _Elements, tag: int) -> str:
    uid = _text(elements, tag)
    if not uid:
        raise ReportNotUnderstood(f"A report lacks a UID where there must be one, in {_name(tag)}; it was not used.")
    return uid


def _text(elements: _Elements, tag: int) -> str:
    value = elements.get(tag, b"")
    return uid_text(value) if isinstance(value, bytes) else ""


def _failure_reason(item: _Elements) -> int | None:
    """It failed whatever the reason is, so one that cannot be read is none."""
    value = item.get(_FAILURE_REASON, b"")
    return int.from_bytes(value, "little") if isinstance(value, bytes) and len(value) == 2 else None


def _sequence(elements: _Elements, tag: int) -> Sequence[_Elements]:
    value = elements.get(tag, [])
    if isinstance(value, bytes):
        raise ReportNotUnderstood(f"A report has something else than a sequence in {_name(tag)}; it was not used.")
    return value


def _read(encoded: bytes, *, is_implicit: bool) -> _Elements:
    reader = _Reader(encoded)
    try:
        return reader.elements(len(encoded), is_implicit=is_implicit, depth=0)
    except struct.error:
        raise _broken(reader.position) from None


class _Reader:
    """Goes through an encoded data set once (PS3.5 7.1 and 7.5). Raises ReportNotUnderstood, or struct.error."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self.position = 0

    def elements(self, end: int | None, *, is_implicit: bool, depth: int) -> _Elements:
        """Those up to this position exactly; None: up to the end of an item of undefined length."""
        found: _Elements = {}
        while self.position != end:
            tag, vr, length = self._header(is_implicit=is_implicit)
            if tag == _ITEM_END and end is None:
                return found
            if tag in found or tag >> 16 == 0xFFFE:
                raise _broken(self.position)
            found[tag] = self._value(tag, vr, length, is_implicit=is_implicit, depth=depth)
            if end is not None and self.position > end:
                raise _broken(self.position)
        return found

    def _value(self, tag: int, vr: bytes, length: int, *, is_implicit: bool, depth: int) -> _Value:
        if vr == b"SQ" or length == _UNDEFINED_LENGTH or (is_implicit and tag in _SEQUENCES):
            # What is inside an unknown VR is implicit, whatever is around it (PS3.5 6.2.2, note 2).
            return self._items(length, is_implicit=is_implicit or vr == b"UN", depth=depth + 1)
        self.position += length
        if self.position > len(self._encoded):
            raise _broken(self.position - length)
        return self._encoded[self.position - length : self.position]

    def _items(self, length: int, *, is_implicit: bool, depth: int) -> list[_Elements]:
        if depth > _DEEPEST:
            raise _broken(self.position)
        end = None if length == _UNDEFINED_LENGTH else self.position + length
        items = []
        while self.position != end:
            tag, _, item_length = self._header(is_implicit=True)
            if tag == _SEQUENCE_END and end is None:
                break
            item_end = None if item_length == _UNDEFINED_LENGTH else self.position + item_length
            if tag != _ITEM or (end is not None and self.position > end):
                raise _broken(self.position)
            items.append(self.elements(item_end, is_implicit=is_implicit, depth=depth))
        return items

    def _header(self, *, is_implicit: bool) -> tuple[int, bytes, int]:
        group, element, length = _IMPLICIT.unpack_from(self._encoded, self.position)
        tag = group << 16 | element
        if is_implicit or group == 0xFFFE:
            self.position += 8
            return tag, b"", length
        _, _, vr, length = _EXPLICIT.unpack_from(self._encoded, self.position)
        self.position += 8
        if vr in _VRS_OF_LONG_LENGTH:
            (length,) = _LENGTH.unpack_from(self._encoded, self.position)
            self.position += 4
        elif vr not in _VRS_OF_SHORT_LENGTH:
            raise _broken(self.position - 8)
        return tag, vr, length


def _broken(position: int) -> ReportNotUnderstood:
    return ReportNotUnderstood(
        f"A report's data set cannot be read at byte {position} (PS3.5 7): it is cut, or badly encoded. "
        "Nothing of it was used; the destination's log may say why."
    )


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _items(references: Iterable[Reference], *, is_implicit: bool) -> Iterator[bytes]:
    for reference in references:
        content = _encoded(
            _REFERENCED_SOP_CLASS_UID, b"UI", _uid(reference.sop_class_uid), is_implicit=is_implicit
        ) + _encoded(_REFERENCED_SOP_INSTANCE_UID, b"UI", _uid(reference.sop_instance_uid), is_implicit=is_implicit)
        yield _IMPLICIT.pack(_ITEM >> 16, _ITEM & 0xFFFF, len(content)) + content


def _encoded(tag: int, vr: bytes, value: bytes, *, is_implicit: bool) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if is_implicit:
        return _IMPLICIT.pack(group, element, len(value)) + value
    if vr == b"SQ":
        return _EXPLICIT.pack(group, element, vr, 0) + _LENGTH.pack(len(value)) + value
    return _EXPLICIT.pack(group, element, vr, len(value)) + value


def _uid(uid: str) -> bytes:
    value = uid.encode("ascii")
    return value + b"\0" * (len(value) % 2)
