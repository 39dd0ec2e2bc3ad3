"""Messages in fragments: put together in order, and nothing else taken for one."""

from __future__ import annotations

import pytest
from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_ECHO

from transfers.errors import MalformedPDU
from transfers.wire.command_set import has_data_set, read_elements
from transfers.wire.messages import EncodedMessage, MessageAssembly, decode_message, encode_message
from transfers.wire.pdu import HEADER_LENGTH, PresentationDataValue, decode_values

WITH_DATA_SET = b"\0\0\0\x08\x02\0\0\0\0\0"
WITHOUT_DATA_SET = b"\0\0\0\x08\x02\0\0\0\x01\x01"


def command(fragment: bytes, *, is_last: bool = True, context_id: int = 1) -> PresentationDataValue:
    return PresentationDataValue(context_id, is_command=True, is_last=is_last, fragment=fragment)


def data(fragment: bytes, *, is_last: bool = True, context_id: int = 1) -> PresentationDataValue:
    return PresentationDataValue(context_id, is_command=False, is_last=is_last, fragment=fragment)


def assembled(*values: PresentationDataValue) -> EncodedMessage | None:
    assembly = MessageAssembly()
    return [assembly.add(value) for value in values][-1]


def test_a_message_without_data_set_ends_with_its_command_set() -> None:
    values = command(WITHOUT_DATA_SET[:3], is_last=False), command(WITHOUT_DATA_SET[3:])

    assert assembled(*values) == EncodedMessage(1, WITHOUT_DATA_SET, b"")


def test_a_message_with_data_set_ends_with_it() -> None:
    values = command(WITH_DATA_SET), data(b"ab", is_last=False), data(b"cd")

    assert assembled(*values) == EncodedMessage(1, WITH_DATA_SET, b"abcd")
    assert assembled(*values[:2]) is None


@pytest.mark.parametrize(
    "values",
    [
        (data(b"ab"),),
        (command(WITH_DATA_SET), command(WITH_DATA_SET)),
        (command(WITH_DATA_SET), data(b"ab", context_id=3)),
        (command(WITH_DATA_SET[:4], is_last=False), data(b"ab")),
    ],
    ids=["data without command", "two commands", "two contexts", "data inside the command"],
)
def test_fragments_of_two_messages_are_not_mixed(values: tuple[PresentationDataValue, ...]) -> None:
    with pytest.raises(MalformedPDU, match="mixed"):
        assembled(*values)


def test_a_command_set_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(MalformedPDU, match="without end"):
        assembled(*[command(b"\0" * 1000, is_last=False)] * 66)


def test_an_answer_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(MalformedPDU, match="16 MB"):
        assembled(command(WITH_DATA_SET), *[data(b"\0" * 1_000_000, is_last=False)] * 17)


@pytest.mark.parametrize("maximum_length", [0, 16384, 20])
def test_a_message_survives_encoding_and_decoding_in_any_fragments(maximum_length: int) -> None:
    request = C_ECHO()
    request.MessageID = 7
    request.AffectedSOPClassUID = UID("1.2.840.10008.1.1")

    encoded = encode_message(request, 5, maximum_length)
    assembly, message, offset = MessageAssembly(), None, 0
    while offset < len(encoded):
        end = offset + HEADER_LENGTH + int.from_bytes(encoded[offset + 2 : offset + 6], "big")
        for value in decode_values(encoded[offset + HEADER_LENGTH : end]):
            message = assembly.add(value)
        offset = end

    assert message is not None
    decoded = decode_message(message)
    assert isinstance(decoded, C_ECHO)
    assert (message.context_id, decoded.MessageID) == (5, 7)


def test_a_message_that_is_none_is_malformed() -> None:
    with pytest.raises(MalformedPDU, match="not DICOM"):
        decode_message(EncodedMessage(1, b"\0\0\0\x01\x02\0\0\0\xff\xff", b""))


def test_a_command_set_is_of_group_0000_alone() -> None:
    with pytest.raises(MalformedPDU, match="broken element"):
        read_elements(b"\x08\0\0\x08\x02\0\0\0\0\0")


@pytest.mark.parametrize("command_set", [b"\0\0\0", b"\0\0\0\x08\x09\0\0\0\0\0"])
def test_elements_of_a_command_set_end_inside_it(command_set: bytes) -> None:
    with pytest.raises(MalformedPDU):
        read_elements(command_set)


def test_a_command_set_must_say_whether_a_data_set_follows() -> None:
    with pytest.raises(MalformedPDU, match="Command Data Set Type"):
        has_data_set(b"")


class Kept(list[bytes]):
    """A sink."""

    def write(self, fragment: bytes, /) -> None:
        self.append(fragment)


def test_a_data_set_may_go_to_a_sink_fragment_by_fragment() -> None:
    kept = Kept()
    asked: list[tuple[int, bytes]] = []

    def open_sink(context_id: int, command_set: bytes) -> Kept:
        asked.append((context_id, command_set))
        return kept

    assembly = MessageAssembly(open_sink)
    assembly.add(command(WITH_DATA_SET, context_id=3))
    assembly.add(data(b"ab", is_last=False, context_id=3))
    seen = list(kept)
    message = assembly.add(data(b"c", context_id=3))

    assert asked == [(3, WITH_DATA_SET)]
    assert (seen, list(kept)) == ([b"ab"], [b"ab", b"c"])
    assert message == EncodedMessage(3, WITH_DATA_SET, b"")
    assert assembly.streamed_bytes == 3


def test_what_no_sink_is_opened_for_stays_in_the_message() -> None:
    assembly = MessageAssembly(lambda *_: None)

    assembly.add(command(WITH_DATA_SET))

    assert assembly.add(data(b"ab")) == EncodedMessage(1, WITH_DATA_SET, b"ab")
    assert assembly.streamed_bytes == 0


def test_a_sink_takes_more_than_a_message_may_hold() -> None:
    kept = Kept()
    assembly = MessageAssembly(lambda *_: kept)
    assembly.add(command(WITH_DATA_SET))

    for _ in range(17):
        assembly.add(data(bytes(1 << 20), is_last=False))

    assert assembly.streamed_bytes == 17 << 20
