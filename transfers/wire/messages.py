"""DIMSE messages (PS3.7 9.3) as fragments: put together when received, encoded and decoded by pynetdicom."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from pynetdicom import dimse_messages
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import DimsePrimitiveType
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from transfers.errors import MalformedPDU
from transfers.wire.command_set import has_data_set
from transfers.wire.pdu import PresentationDataValue, decode

_LONGEST_COMMAND_SET = 65_536
_LONGEST_DATA_SET = 16_777_216


class EncodedMessage(NamedTuple):
    """A whole message as received."""

    context_id: int
    command_set: bytes
    data_set: bytes
    """Empty where there is none."""


class Sink(Protocol):
    """Where the fragments of a data set go as they come."""

    def write(self, fragment: bytes, /) -> object: ...


OpenSink: TypeAlias = Callable[[int, bytes], Sink | None]
"""Given the context ID and the command set of a message, where its data set goes; None: into the message."""


class MessageAssembly:
    """Puts the fragments of one message together; raises MalformedPDU where one does not belong."""

    def __init__(self, open_sink: OpenSink | None = None) -> None:
        self.streamed_bytes = 0
        """How much of the data set went to a sink."""
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._context_id = 0
        self._command_set = b""
        self._data_set = bytearray()
        self._awaits_data_set = False

    def add(self, value: PresentationDataValue) -> EncodedMessage | None:
        """Take the next fragment; returns the message that it completes."""
        self._context_id = self._context_id or value.context_id
        if value.context_id != self._context_id or value.is_command != (not self._awaits_data_set):
            raise MalformedPDU("The destination mixed the fragments of two messages.")
        if value.is_command:
            return self._add_command(value)
        return self._add_data(value)

    def _add_command(self, value: PresentationDataValue) -> EncodedMessage | None:
        self._command_set += value.fragment
        if len(self._command_set) > _LONGEST_COMMAND_SET:
            raise MalformedPDU("The destination sent a command set without end.")
        if not value.is_last:
            return None
        self._awaits_data_set = has_data_set(self._command_set)
        if not self._awaits_data_set:
            return self._completed()
        if self._open_sink is not None:
            self._sink = self._open_sink(self._context_id, self._command_set)
        return None

    def _add_data(self, value: PresentationDataValue) -> EncodedMessage | None:
        if self._sink is not None:
            self._sink.write(value.fragment)
            self.streamed_bytes += len(value.fragment)
        else:
            self._keep(value.fragment)
        return self._completed() if value.is_last else None

    def _keep(self, fragment: bytes) -> None:
        self._data_set += fragment
        if len(self._data_set) > _LONGEST_DATA_SET:
            raise MalformedPDU("The destination sent an answer of more than 16 MB.")

    def _completed(self) -> EncodedMessage:
        return EncodedMessage(self._context_id, self._command_set, bytes(self._data_set))


def encode_message(primitive: DimsePrimitiveType, context_id: int, maximum_length: int) -> bytes:
    """Return the P-DATA-TF PDUs of a message; a request without a Message ID is the caller's mistake."""
    name = type(primitive).__name__
    is_response = getattr(primitive, "MessageIDBeingRespondedTo", None) is not None and name != "C_CANCEL"
    message: DIMSEMessage = getattr(dimse_messages, f"{name}_{'RSP' if is_response else 'RQ'}")()
    message.primitive_to_message(primitive)
    return b"".join(P_DATA_TF(values).encode() for values in message.encode_msg(context_id, maximum_length))


def decode_message(message: EncodedMessage) -> DimsePrimitiveType:
    """Return a message as pynetdicom's primitive for it. Raises MalformedPDU."""
    return decode("a message", lambda: _decoded(message))


def _decoded(message: EncodedMessage) -> DimsePrimitiveType:
    values = P_DATA()
    values.presentation_data_value_list.append((message.context_id, b"\x03" + message.command_set))
    if message.data_set:
        values.presentation_data_value_list.append((message.context_id, b"\x02" + message.data_set))
    decoded = DIMSEMessage()
    decoded.decode_msg(values)
    return decoded.message_to_primitive()
