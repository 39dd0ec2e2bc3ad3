"""Protocol data units (PS3.8 9.3): bounded before they are read, decoded so that only one error can come of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple, TypeVar

from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ, PDU

from transfers.errors import MalformedPDU

HEADER_LENGTH = 6
MAXIMUM_LENGTH = 131_072
"""The longest P-DATA-TF that we say we take (PS3.8 D.1)."""

DATA, LAST_DATA, COMMAND, LAST_COMMAND = 0, 2, 1, 3
"""Control bytes of fragments (PS3.8 E.2)."""

_HEADER = Struct(">BxI")
_HEADERS = Struct(">BxIIBB")
"""Of a P-DATA-TF with one fragment: PDU type and length; length, context ID and control byte of the fragment."""
_VALUE_HEADER = Struct(">IBB")
_T = TypeVar("_T")


class PduType(IntEnum):
    A_ASSOCIATE_RQ = 0x01
    A_ASSOCIATE_AC = 0x02
    A_ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    A_RELEASE_RQ = 0x05
    A_RELEASE_RP = 0x06
    A_ABORT = 0x07


_LONGEST = {
    PduType.A_ASSOCIATE_AC: 262_144,
    PduType.A_ASSOCIATE_RJ: 4,
    PduType.P_DATA_TF: 1_048_576,  # some peers send more than they were told they may
    PduType.A_RELEASE_RQ: 4,
    PduType.A_RELEASE_RP: 4,
    PduType.A_ABORT: 4,
}
_CLASSES: dict[PduType, type[PDU]] = {
    PduType.A_ASSOCIATE_AC: A_ASSOCIATE_AC,
    PduType.A_ASSOCIATE_RJ: A_ASSOCIATE_RJ,
    PduType.A_RELEASE_RQ: A_RELEASE_RQ,
    PduType.A_RELEASE_RP: A_RELEASE_RP,
    PduType.A_ABORT: A_ABORT_RQ,
}


class PresentationDataValue(NamedTuple):
    """One fragment of a message (PS3.8 9.3.5.1 and E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    fragment: bytes


def decode(what: str, decoder: Callable[[], _T]) -> _T:
    """Return what the decoder returns; raises MalformedPDU for whatever it raises.

    The libraries' decoders raise at least five kinds of exception on bytes that are not DICOM.
    """
    try:
        return decoder()
    except Exception as error:
        raise MalformedPDU(
            f"The destination sent {what} that is not DICOM ({type(error).__name__}). "
            "Check that the port is a DICOM port, and the destination's log."
        ) from error


def decode_header(header: bytes) -> tuple[PduType, int]:
    """Return type and length of the PDU that begins with these six bytes.

    Raises MalformedPDU for a type that no acceptor sends, and for a length beyond what we would read.
    """
    type_number, length = _HEADER.unpack(header)
    longest = _LONGEST.get(type_number)
    if longest is None:
        raise MalformedPDU(
            f"The destination answered with bytes that are not DICOM (they begin with {header.hex(' ')}). "
            "Check that the port is a DICOM port, and that both sides use TLS or neither does."
        )
    if length > longest:
        raise MalformedPDU(
            f"The destination announced a PDU of type {type_number} of {length} bytes; {longest} is sane."
        )
    return PduType(type_number), length


def decode_pdu(pdu_type: PduType, header: bytes, body: bytes) -> PDU:
    """Return any PDU but a P-DATA-TF as pynetdicom's class for it. Raises MalformedPDU."""
    pdu = _CLASSES[pdu_type]()
    decode(f"an {pdu_type.name.replace('_', '-')}", lambda: pdu.decode(header + body))
    return pdu


def decode_values(body: bytes) -> list[PresentationDataValue]:
    """Return the presentation data values of a P-DATA-TF. Raises MalformedPDU where lengths do not add up."""
    values = []
    offset = 0
    while offset < len(body):
        if offset + _VALUE_HEADER.size > len(body):
            raise MalformedPDU("The destination sent a P-DATA-TF that ends inside the header of a fragment.")
        length, context_id, control = _VALUE_HEADER.unpack_from(body, offset)
        end = offset + 4 + length
        if length < 2 or end > len(body):
            raise MalformedPDU(f"The destination sent a fragment of {length} bytes in a P-DATA-TF of {len(body)}.")
        fragment = body[offset + _VALUE_HEADER.size : end]
        values.append(PresentationDataValue(context_id, bool(control & 1), bool(control & 2), fragment))
        offset = end
    return values


def fragment_headers(context_id: int, control: int, length: int) -> bytes:
    """Return all that comes before a fragment of so many bytes which is a P-DATA-TF of its own."""
    return _HEADERS.pack(PduType.P_DATA_TF, length + 6, length + 2, context_id, control)


def framed_command(context_id: int, command_set: bytes, fragment_size: int) -> list[bytes]:
    """Return a command set as P-DATA-TF PDUs of one fragment each, to be written one after another."""
    framed = []
    for start in range(0, len(command_set), fragment_size):
        fragment = command_set[start : start + fragment_size]
        control = LAST_COMMAND if start + fragment_size >= len(command_set) else COMMAND
        framed += [fragment_headers(context_id, control, len(fragment)), fragment]
    return framed
