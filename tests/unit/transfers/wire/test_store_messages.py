"""The two messages packed and read by hand are the bytes that pynetdicom writes, and say what it reads."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import dimse_messages
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode

from transfers.errors import MalformedPDU, UnexpectedAnswer
from transfers.wire.store_messages import (
    StoreRequest,
    StoreResponse,
    encode_store_request,
    encode_store_response,
    read_store_request,
    read_store_response,
)

UIDS = (
    st.lists(st.integers(0, 99999).map(str), min_size=2, max_size=10).map(".".join).filter(lambda uid: len(uid) <= 64)
)
MESSAGE_IDS = st.integers(1, 65_535)


def command_set_of(name: str, primitive: C_STORE | C_ECHO) -> bytes:
    message = getattr(dimse_messages, name)()
    message.primitive_to_message(primitive)
    encoded = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    assert encoded is not None
    return encoded


def response_of(uid: str = "2.25.7", **values: object) -> bytes:
    response = C_STORE()
    response.MessageIDBeingRespondedTo = 7
    response.AffectedSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    response.AffectedSOPInstanceUID = UID(uid)
    response.Status = 0x0000
    for keyword, value in values.items():
        setattr(response, keyword, value)
    return command_set_of("C_STORE_RSP", response)


@given(UIDS, UIDS, MESSAGE_IDS)
def test_a_request_is_the_bytes_that_pynetdicom_writes(sop_class: str, sop_instance: str, message_id: int) -> None:
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 0
    request.AffectedSOPClassUID = UID(sop_class)
    request.AffectedSOPInstanceUID = UID(sop_instance)
    request.DataSet = BytesIO(b"anything")

    assert encode_store_request(sop_class, sop_instance, message_id) == command_set_of("C_STORE_RQ", request)


@given(UIDS, MESSAGE_IDS, st.integers(0, 0xFFFF), st.text("abc ", max_size=64))
def test_a_response_says_what_pynetdicom_wrote(uid: str, message_id: int, status: int, comment: str) -> None:
    encoded = response_of(uid, MessageIDBeingRespondedTo=message_id, Status=status, ErrorComment=comment or None)

    assert read_store_response(encoded) == StoreResponse(message_id, uid, status, comment.rstrip())


def test_a_response_need_not_repeat_the_uids() -> None:
    encoded = response_of(AffectedSOPInstanceUID=None, AffectedSOPClassUID=None)

    assert read_store_response(encoded) == StoreResponse(7, "", 0)


def test_an_error_comment_may_hold_any_bytes() -> None:
    encoded = response_of(Status=0xC000, ErrorComment="full")

    assert read_store_response(encoded.replace(b"full", b"\x1b\xff\0!")).error_comment == "\x1bÿ\0!"


def test_another_kind_of_message_is_unexpected() -> None:
    echo = C_ECHO()
    echo.MessageIDBeingRespondedTo = 7
    echo.AffectedSOPClassUID = UID("1.2.840.10008.1.1")
    echo.Status = 0x0000

    with pytest.raises(UnexpectedAnswer, match="0x8030"):
        read_store_response(command_set_of("C_ECHO_RSP", echo))


@pytest.mark.parametrize("keyword", ["Status", "MessageIDBeingRespondedTo", "CommandField"])
def test_a_response_without_what_it_must_say_is_malformed(keyword: str) -> None:
    command_set = Dataset()
    command_set.CommandField = 0x8001
    command_set.MessageIDBeingRespondedTo = 7
    command_set.Status = 0
    del command_set[keyword]
    encoded = encode(command_set, is_implicit_vr=True, is_little_endian=True)
    assert encoded is not None

    with pytest.raises(MalformedPDU, match="without a usable"):
        read_store_response(encoded)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_damaged_response_is_read_or_is_a_named_error(position: int, damage: bytes) -> None:
    encoded = bytearray(response_of())
    encoded[position : position + len(damage)] = damage

    with suppress(MalformedPDU, UnexpectedAnswer):
        assert 0 <= read_store_response(bytes(encoded)).status_code <= 0xFFFF


@given(UIDS, UIDS, MESSAGE_IDS, st.sampled_from([0x0000, 0x0124, 0xA700]))
def test_what_is_answered_as_scp_is_the_bytes_that_pynetdicom_writes(
    sop_class: str, sop_instance: str, message_id: int, status: int
) -> None:
    response = response_of(
        sop_instance, MessageIDBeingRespondedTo=message_id, AffectedSOPClassUID=UID(sop_class), Status=status
    )

    assert encode_store_response(StoreRequest(message_id, sop_class, sop_instance), status) == response


@given(UIDS, UIDS, MESSAGE_IDS)
def test_a_request_is_read_as_it_was_written(sop_class: str, sop_instance: str, message_id: int) -> None:
    encoded = encode_store_request(sop_class, sop_instance, message_id)

    assert read_store_request(encoded) == StoreRequest(message_id, sop_class, sop_instance)


def test_a_uid_that_is_none_is_read_as_no_other_and_not_repeated() -> None:
    encoded = encode_store_request("1.2.3", "1.2.3333", 7).replace(b"1.2.3333", b"1.2\\1.3\xb2")

    request = read_store_request(encoded)

    assert "\\\\" in request.sop_instance_uid
    assert read_store_response(encode_store_response(request, 0)) == StoreResponse(7, "", 0)


def test_a_request_of_another_kind_is_unexpected() -> None:
    with pytest.raises(UnexpectedAnswer, match="0x8001"):
        read_store_request(response_of())
