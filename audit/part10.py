"""The identity of one instance, read from a DICOM file (PS3.10 7) with as few bytes as that needs.

The identifying UIDs come from the data set, the transfer syntax from the file meta group. Element headers are walked to
the end of the file, so that a cut file is told from a whole one; values are seeked over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern

from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, MediaStorageDirectoryStorage

from audit.byte_sources import ByteSource, DeflateStreamCut, InflatedBytes, InflationLimitExceeded, Window
from audit.data_sets import Contents, describe_rest, note_of_rest, read_contents
from audit.encodings import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    HeaderCut,
    VrUnknown,
    is_known,
    tag_name,
)
from audit.entries import SkippedKind
from audit.escaping import quoted
from audit.left_out import LeftOut, broken
from audit.uids import UnsafeUid, is_regular, uid_of

PREFIX = b"DICM"
PREFIX_POSITION = 128
META_POSITION = 132

MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
TRANSFER_SYNTAX_UID = 0x00020010
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E

KEYWORDS = {
    TRANSFER_SYNTAX_UID: "TransferSyntaxUID",
    SOP_CLASS_UID: "SOPClassUID",
    SOP_INSTANCE_UID: "SOPInstanceUID",
    STUDY_INSTANCE_UID: "StudyInstanceUID",
    SERIES_INSTANCE_UID: "SeriesInstanceUID",
}
ENCODINGS: Mapping[str, Encoding] = {ImplicitVRLittleEndian: IMPLICIT_LITTLE, ExplicitVRBigEndian: EXPLICIT_BIG}
"""Every other transfer syntax is Explicit VR Little Endian (PS3.5 10, A.4)."""
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes whose data set is one deflate stream (PS3.5 A.5, A.7 and A.11)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What identifies one instance, and where its data set lies."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    data_set_offset: int
    data_set_size: int
    notes: tuple[str, ...]
    values: Mapping[int, bytes] = field(default_factory=dict, compare=False, repr=False)
    """What was read of its data set, as encoded; some of it describes the study (see `descriptions`)."""


@dataclass(slots=True)
class _FileMeta:
    """PS3.10 7.1."""

    values: dict[int, bytes]
    end: int
    """Where the data set begins."""


def is_part10(window: Window) -> bool:
    """Whether the prefix is where PS3.10 7.1 wants it."""
    return window.buffer[PREFIX_POSITION:META_POSITION] == PREFIX


def not_part10(window: Window, size: int) -> LeftOut:
    """What a file without the prefix is."""
    if not size:
        reason = "it is empty"
    elif any(_begins_data_set(window, position, size) for position in (0, len(PREFIX), META_POSITION)):
        reason = "no DICM prefix (not a Part 10 file), though it seems to be a DICOM data set"
    else:
        reason = "not a DICOM file"
    return LeftOut(SkippedKind.NOT_DICOM, reason)


def _begins_data_set(window: Window, position: int, size: int) -> bool:
    """Whether an element of group 0002 or 0008 begins there, in any encoding."""
    for encoding in (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE):
        try:
            tag, _, length, _ = encoding.header(window, position)
        except (HeaderCut, VrUnknown):
            continue
        if tag >> 16 in (0x0002, 0x0008) and is_known(tag) and position + length <= size:
            return True
    return False


def locate_data_set(window: Window, file_size: int) -> tuple[int, str]:
    """Where the data set of a Part 10 file begins, and its Transfer Syntax UID; nothing of the data set is read.

    Raises LeftOut for a file that has no file meta group, or none that can be read.
    """
    if not is_part10(window):
        raise not_part10(window, file_size)
    meta = _read_file_meta(window, file_size)
    return meta.end, _transfer_syntax_uid(meta)


def read_instance(window: Window, source: ByteSource, file_size: int, *, inflation_limit: int) -> Instance:
    """The instance in a Part 10 file, of which `window` is at the beginning.

    Raises LeftOut for a file that holds none, or that is cut or damaged.
    """
    meta = _read_file_meta(window, file_size)
    if meta.values.get(MEDIA_STORAGE_SOP_CLASS_UID, b"").rstrip(b"\0 ") == MediaStorageDirectoryStorage.encode():
        raise LeftOut(SkippedKind.DICOMDIR, "a DICOMDIR lists other files and is no instance")
    transfer_syntax_uid = _transfer_syntax_uid(meta)
    if transfer_syntax_uid in DEFLATED:
        contents = _read_deflated(source, meta.end, file_size, inflation_limit)
    else:
        contents = read_contents(window, meta.end, ENCODINGS.get(transfer_syntax_uid, EXPLICIT_LITTLE))
    return _instance(meta, transfer_syntax_uid, contents)


def _read_file_meta(window: Window, file_size: int) -> _FileMeta:
    """The file meta group, up to the first element of another group whatever (0002,0000) says."""
    encoding = EXPLICIT_LITTLE.found_at(window, META_POSITION)
    values = {}
    position = META_POSITION
    try:
        while window.read(position, 2) == b"\x02\x00":
            tag, _, length, header_size = encoding.header(window, position)
            position += header_size
            if position + length > file_size:
                raise HeaderCut
            if length <= 1024:
                values[tag] = window.read(position, length)
            position += length
    except (HeaderCut, VrUnknown) as error:
        fault = "the file ends inside it" if isinstance(error, HeaderCut) else f"at byte {position} there is no VR"
        raise broken(f"its file meta group cannot be read: {fault}") from None
    return _FileMeta(values, position)


def _transfer_syntax_uid(meta: _FileMeta) -> str:
    if uid := _uid(TRANSFER_SYNTAX_UID, meta.values):
        return uid
    raise broken("its file meta group has no TransferSyntaxUID (0002,0010)")


def _read_deflated(source: ByteSource, start: int, file_size: int, limit: int) -> Contents:
    inflated = InflatedBytes(source, start, limit)
    try:
        contents = read_contents(Window(inflated), 0, EXPLICIT_LITTLE)
    except zlib.error:
        raise broken("its transfer syntax is deflated, but its data set is no deflate stream") from None
    except DeflateStreamCut:
        raise broken("the file ends before its deflated data set does") from None
    except InflationLimitExceeded:
        raise broken(f"its deflated data set inflates to more than the limit of {limit} bytes") from None
    contents.end = file_size
    if file_size - inflated.deflated_end > 1:  # one byte is padding
        contents.end = inflated.deflated_end
        contents.notes.append(note_of_rest(describe_rest(Window(source), inflated.deflated_end, file_size)))
    return contents


def _instance(meta: _FileMeta, transfer_syntax_uid: str, contents: Contents) -> Instance:
    sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid = (
        _required_uid(tag, contents.values)
        for tag in (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)
    )
    return Instance(
        sop_class_uid=intern(sop_class_uid),
        sop_instance_uid=sop_instance_uid,
        study_instance_uid=intern(study_instance_uid),
        series_instance_uid=intern(series_instance_uid),
        transfer_syntax_uid=intern(transfer_syntax_uid),
        data_set_offset=meta.end,
        data_set_size=contents.end - meta.end,
        notes=(*contents.notes, *_notes(meta.values, contents.values)),
        values=contents.values,
    )


def _required_uid(tag: int, values: Mapping[int, bytes]) -> str:
    if uid := _uid(tag, values):
        return uid
    state = "is empty" if tag in values else "is missing"
    raise LeftOut(SkippedKind.NO_UID, f"{KEYWORDS[tag]} {tag_name(tag)} {state}")


def _uid(tag: int, values: Mapping[int, bytes]) -> str:
    try:
        return uid_of(values.get(tag, b""))
    except UnsafeUid as error:
        raise LeftOut(SkippedKind.UNSAFE, f"{KEYWORDS[tag]} {tag_name(tag)} {error}") from None


def _notes(meta: Mapping[int, bytes], data_set: Mapping[int, bytes]) -> Iterator[str]:
    """What is odd about the UIDs."""
    for meta_tag, tag in (
        (MEDIA_STORAGE_SOP_CLASS_UID, SOP_CLASS_UID),
        (MEDIA_STORAGE_SOP_INSTANCE_UID, SOP_INSTANCE_UID),
    ):
        of_meta = meta.get(meta_tag, b"").rstrip(b"\0 ")
        if of_meta and of_meta != data_set[tag].rstrip(b"\0 "):
            yield f"the file meta group has another {KEYWORDS[tag]}: {quoted(of_meta.decode('latin-1'))}"
    for tag, value in data_set.items():
        if tag in KEYWORDS and not is_regular(value.rstrip(b"\0 ").decode("ascii")):
            yield f"{KEYWORDS[tag]} has other characters than digits and dots"
