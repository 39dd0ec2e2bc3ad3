"""The response to a C-GET, one an instance, says what pynetdicom wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom import dimse_messages
from pynetdicom.dimse_primitives import C_GET, C_STORE
from pynetdicom.dsutils import encode

from transfers.errors import MalformedPDU, UnexpectedAnswer
from transfers.wire.get_messages import GetResponse, read_get_response

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"


def command_set_of(name: str, primitive: C_GET | C_STORE) -> bytes:
    message = getattr(dimse_messages, name)()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    assert encoded is not None
    return encoded


def response_of(**values: object) -> bytes:
    response = C_GET()
    response.MessageIDBeingRespondedTo = 7
    response.AffectedSOPClassUID = UID(STUDY_ROOT_GET)
    response.Status = 0x0000
    for keyword, value in values.items():
        setattr(response, keyword, value)
    return command_set_of("C_GET_RSP", response)


@given(st.integers(1, 65_535), st.sampled_from([0x0000, 0xFF00, 0xB000, 0xA702]), st.integers(0, 65_535))
def test_a_response_says_what_pynetdicom_wrote(message_id: int, status: int, failed: int) -> None:
    encoded = response_of(
        MessageIDBeingRespondedTo=message_id,
        Status=status,
        NumberOfRemainingSuboperations=3,
        NumberOfCompletedSuboperations=2,
        NumberOfFailedSuboperations=failed,
        NumberOfWarningSuboperations=1,
        ErrorComment="busy",
    )

    assert read_get_response(encoded) == GetResponse(message_id, status, failed, "busy")


def test_a_response_need_not_count() -> None:
    assert read_get_response(response_of()) == GetResponse(7, 0, 0, "")


def test_another_kind_of_message_is_unexpected() -> None:
    store = C_STORE()
    store.MessageIDBeingRespondedTo = 7
    store.Status = 0x0000

    with pytest.raises(UnexpectedAnswer, match="0x8001"):
        read_get_response(command_set_of("C_STORE_RSP", store))


def test_a_response_without_a_status_is_malformed() -> None:
    broken = response_of().replace(b"\0\0\x00\x09\x02\0\0\0", b"\0\0\x01\x09\x02\0\0\0")

    with pytest.raises(MalformedPDU, match="without a usable"):
        read_get_response(broken)
