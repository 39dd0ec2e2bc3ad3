"""PDUs are bounded before they are read, and whatever is wrong with one is MalformedPDU."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from transfers.errors import MalformedPDU
from transfers.wire.pdu import HEADER_LENGTH, PduType, decode_header, decode_pdu, decode_values


@pytest.mark.parametrize(
    "header", [b"HTTP/1", b"\x00\x00\x00\x00\x00\x04", b"\x08\x00\x00\x00\x00\x04", b"\x15\x03\x03\x00\x02\x02"]
)
def test_bytes_of_no_pdu_type_are_malformed(header: bytes) -> None:
    with pytest.raises(MalformedPDU, match="not DICOM"):
        decode_header(header)


@pytest.mark.parametrize(
    ("pdu_type", "length"),
    [
        (PduType.P_DATA_TF, 1 << 20 | 1),
        (PduType.A_ASSOCIATE_AC, 1 << 19),
        (PduType.A_ABORT, 5),
        (PduType.P_DATA_TF, 0xFFFFFFFF),
    ],
)
def test_a_length_that_nobody_needs_is_refused_before_it_is_read(pdu_type: PduType, length: int) -> None:
    with pytest.raises(MalformedPDU, match=str(length)):
        decode_header(struct.pack(">BxI", pdu_type, length))


def test_a_request_for_an_association_is_no_answer() -> None:
    with pytest.raises(MalformedPDU):
        decode_header(struct.pack(">BxI", PduType.A_ASSOCIATE_RQ, 100))


def test_an_abort_is_decoded_with_its_source_and_reason() -> None:
    abort = A_ABORT_RQ()
    abort.source, abort.reason_diagnostic = 2, 6
    encoded = abort.encode()

    decoded = decode_pdu(PduType.A_ABORT, encoded[:HEADER_LENGTH], encoded[HEADER_LENGTH:])

    assert isinstance(decoded, A_ABORT_RQ)
    assert (decoded.source, decoded.reason_diagnostic) == (2, 6)


@given(st.binary(max_size=300))
def test_any_body_of_an_acceptance_is_decoded_or_malformed(body: bytes) -> None:
    header = struct.pack(">BxI", PduType.A_ASSOCIATE_AC, len(body))

    try:
        pdu = decode_pdu(PduType.A_ASSOCIATE_AC, header, body)
    except MalformedPDU:
        return
    assert pdu.pdu_type == PduType.A_ASSOCIATE_AC


@given(st.lists(st.tuples(st.integers(1, 255), st.integers(0, 3), st.binary(min_size=1, max_size=40)), min_size=1))
def test_fragments_are_read_as_pynetdicom_writes_them(values: list[tuple[int, int, bytes]]) -> None:
    primitive = P_DATA()
    primitive.presentation_data_value_list.extend(
        [(context, bytes([control]) + data) for context, control, data in values]
    )
    body = P_DATA_TF(primitive).encode()[HEADER_LENGTH:]

    decoded = decode_values(body)

    expected = [(context, bool(control & 1), bool(control & 2), data) for context, control, data in values]
    assert [tuple(value) for value in decoded] == expected


@given(st.binary(max_size=64))
def test_any_bytes_are_fragments_or_malformed(body: bytes) -> None:
    try:
        values = decode_values(body)
    except MalformedPDU:
        return
    assert sum(len(value.fragment) + 6 for value in values) == len(body)


@pytest.mark.parametrize("body", [b"\0\0\0\1", b"\0\0\0\1\1\3", b"\0\0\0\0\1\3", b"\x7f\xff\xff\xff\1\3abcd"])
def test_lengths_of_fragments_must_add_up(body: bytes) -> None:
    with pytest.raises(MalformedPDU, match="fragment"):
        decode_values(body)
