"""An association as its requestor: opened, used by one thread for one message at a time, released or aborted.

PS3.8 9.2 without a state machine of its own: a requestor that waits for each answer is opening, idle, waiting for an
answer, or closed, and any PDU that does not belong there ends the association.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn, Self

from pynetdicom.dimse_primitives import DimsePrimitiveType
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_RELEASE_RP, A_RELEASE_RQ, PDU

from transfers.endpoints import DicomEndpoint
from transfers.errors import (
    AnswerTimedOut,
    AssociationError,
    AssociationLost,
    AssociationReleased,
    AssociationTimedOut,
    MalformedPDU,
    NetworkTimedOut,
)
from transfers.wire.messages import EncodedMessage, MessageAssembly, OpenSink, decode_message, encode_message
from transfers.wire.negotiation import (
    Acceptance,
    AcceptedContext,
    ProposedContext,
    RejectedContext,
    encode_request,
    read_acceptance,
)
from transfers.wire.pdu import HEADER_LENGTH, PduType, decode_header, decode_pdu, decode_values
from transfers.wire.rejections import abortion, rejection
from transfers.wire.transport import Buffer, EarlyAbort, Transport
from transfers.wire.waiting import Interruption

__all__ = ["AcceptedContext", "Association", "EncodedMessage", "ProposedContext", "RejectedContext"]

logger = logging.getLogger(__name__)

_ABORT = A_ABORT_RQ()
_ABORT.source = 0
_ABORT.reason_diagnostic = 0
_ABORT_BYTES = _ABORT.encode()
_MOST_PDUS_BEFORE_RELEASE = 64
_SLOWEST_BYTES_PER_SECOND = 16_384
"""What a data set that is received in a stream may take beyond the time-out of its message."""
_LAST_WORDS_SECONDS = 1.0
"""How long what a peer said before it closed may take to be read."""


class Association:
    """A context manager: released when its block ends, aborted when the block raises.

    Every fault of the network or the peer is one of the AssociationError; the association is then of no more use,
    and only `abort` or `close` should follow.
    """

    def __init__(self, transport: Transport, endpoint: DicomEndpoint, acceptance: Acceptance) -> None:
        self._transport = transport
        self.timeouts = endpoint.timeouts
        self._open_sink: OpenSink | None = None
        self._assembly = MessageAssembly()
        self._messages: deque[EncodedMessage] = deque()
        self.accepted: tuple[AcceptedContext, ...] = acceptance.accepted
        self.rejected: tuple[RejectedContext, ...] = acceptance.rejected
        self.scp_roles = acceptance.scp_roles
        """The SOP classes of which the destination lets us be the SCP."""
        self.maximum_length = acceptance.maximum_length
        """Of the P-DATA-TF that the destination takes; 0 means no limit."""
        self.implementation_version_name = acceptance.implementation_version_name
        """What the destination calls itself; empty where it does not."""
        self.fragment_size = acceptance.fragment_size
        """How many bytes of a message go into one fragment; even."""

    @classmethod
    def open(
        cls,
        endpoint: DicomEndpoint,
        contexts: Sequence[ProposedContext],
        interruption: Interruption | None = None,
    ) -> Association:
        """Connect and associate, proposing at most 128 contexts (their IDs are 1, 3, 5 … in the order given).

        That the destination accepted none of them is no error here: `accepted` is then empty.
        Raises AssociationError; AssociationRejectedForNow is the rejection that may pass by itself.
        """
        request = encode_request(endpoint, contexts)
        transport = Transport.connect(endpoint, interruption)
        try:
            transport.write([request])
            acceptance = _await_acceptance(transport, endpoint, contexts)
        except BaseException:
            _abort(transport)
            raise
        return cls(transport, endpoint, acceptance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    def accepted_context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> AcceptedContext | None:
        """The first accepted context for a SOP class, in this transfer syntax or in any."""
        for context in self.accepted:
            if context.abstract_syntax == abstract_syntax and transfer_syntax in (None, context.transfer_syntax):
                return context
        return None

    def send_message(self, context_id: int, primitive: DimsePrimitiveType) -> None:
        """Write one message, encoded by pynetdicom."""
        self.write([encode_message(primitive, context_id, self.fragment_size + HEADER_LENGTH)])

    def hears_something_within(self, seconds: float) -> bool:
        """Wait for the first byte of what the destination says of itself; nothing is read, so nothing can be torn."""
        return bool(self._messages) or self._transport.has_received() or self._transport.receive(seconds)

    def receive_message(self, timeout_seconds: float | None = None) -> tuple[int, DimsePrimitiveType]:
        """Return context ID and primitive of the next message, waiting for all of it at most the DIMSE time-out."""
        message = self.receive_encoded(timeout_seconds)
        return message.context_id, decode_message(message)

    def receive_encoded(self, timeout_seconds: float | None = None) -> EncodedMessage:
        """Return the next message as its bytes, for who reads many of the same kind.

        The time-out is for the whole message, however many PDUs, with something in them or not, it comes in; what
        goes to a sink has more time the longer it is.
        """
        seconds = self.timeouts.dimse_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + seconds
        while not self._messages:
            self._receive_values(deadline + self._assembly.streamed_bytes / _SLOWEST_BYTES_PER_SECOND)
        return self._messages.popleft()

    def stream_data_sets(self, open_sink: OpenSink | None) -> None:
        """From the next message on, hand the data sets that `open_sink` has a sink for to it, fragment by fragment.

        Such a message is then received without its data set; without limit, so the sink has to set one. What
        `open_sink` or a sink raises comes out of `receive_encoded`, and the association is to be aborted.
        """
        self._open_sink = open_sink
        self._assembly = MessageAssembly(open_sink)

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Write whole PDUs. An A-ABORT that comes meanwhile, or came before the connection broke, is the error."""
        self._transport.check_interruption()
        try:
            self._transport.write(buffers)
        except (EarlyAbort, AssociationLost) as error:
            self._raise_abort_or(error)

    def acknowledge_quickly(self) -> None:
        """See Transport; called when a message was written, before anything else is done."""
        self._transport.acknowledge_quickly()

    def release(self) -> None:
        """Release and close. A destination that does not take part properly is no error: all answers are in."""
        try:
            self._transport.write([A_RELEASE_RQ().encode()])
            self._await_release()
        except AssociationError as error:
            logger.debug("Association not released properly", extra={"action": "release_failed", "reason": str(error)})
        finally:
            self.close()

    def abort(self) -> None:
        """Abort and close, without waiting. A message that was left unfinished stays unfinished."""
        _abort(self._transport)

    def close(self) -> None:
        """Close the connection. May be called more than once."""
        self._transport.close()

    def _receive_values(self, deadline: float) -> None:
        pdu_type, header, body = _read_pdu(self._transport, deadline, AnswerTimedOut)
        if pdu_type is not PduType.P_DATA_TF:
            self._raise_for(decode_pdu(pdu_type, header, body))
        for value in decode_values(body):
            message = self._assembly.add(value)
            if message is not None:
                self._messages.append(message)
                self._assembly = MessageAssembly(self._open_sink)
        if not self._messages and time.monotonic() > deadline:
            raise AnswerTimedOut

    def _raise_for(self, pdu: PDU) -> NoReturn:
        if isinstance(pdu, A_ABORT_RQ):
            raise abortion(pdu.source or 0, pdu.reason_diagnostic or 0)
        if isinstance(pdu, A_RELEASE_RQ):
            self._transport.write([A_RELEASE_RP().encode()])
            raise AssociationReleased
        raise MalformedPDU(f"The destination sent an {_name(pdu)} where an answer was due (PS3.8 9.2).")

    def _raise_abort_or(self, error: Exception) -> NoReturn:
        """What the peer said before it closed tells more than that it closed."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        try:
            while True:
                self._receive_values(deadline)
        except (AssociationLost, AnswerTimedOut):
            raise error from None

    def _await_release(self) -> None:
        deadline = time.monotonic() + self.timeouts.acse_seconds
        for _ in range(_MOST_PDUS_BEFORE_RELEASE):
            pdu_type, _, _ = _read_pdu(self._transport, deadline, AssociationTimedOut)
            if pdu_type in (PduType.A_RELEASE_RP, PduType.A_ABORT):
                return
            if pdu_type is PduType.A_RELEASE_RQ:  # both sides at once: PS3.8 7.2.2
                self._transport.write([A_RELEASE_RP().encode()])


def _await_acceptance(transport: Transport, endpoint: DicomEndpoint, contexts: Sequence[ProposedContext]) -> Acceptance:
    deadline = time.monotonic() + endpoint.timeouts.acse_seconds
    pdu_type, header, body = _read_pdu(transport, deadline, AssociationTimedOut)
    pdu = decode_pdu(pdu_type, header, body) if pdu_type is not PduType.P_DATA_TF else None
    if isinstance(pdu, A_ASSOCIATE_AC):
        return read_acceptance(pdu, contexts)
    if isinstance(pdu, A_ASSOCIATE_RJ):
        answer = (pdu.result or 0, pdu.source or 0, pdu.reason_diagnostic or 0)
        raise rejection(*answer, called=endpoint.called_ae_title, calling=endpoint.calling_ae_title)
    if isinstance(pdu, A_ABORT_RQ):
        raise abortion(pdu.source or 0, pdu.reason_diagnostic or 0)
    raise MalformedPDU(f"The destination answered the association request with a PDU of type {pdu_type:d} (PS3.8 9.2).")


def _read_pdu(transport: Transport, deadline: float, timed_out: type[AssociationError]) -> tuple[PduType, bytes, bytes]:
    """Raises the error given where the whole PDU is not there by the deadline (by `time.monotonic`)."""
    if not transport.has_received() and not transport.receive(deadline - time.monotonic()):
        raise timed_out()
    try:
        header = transport.read(HEADER_LENGTH, deadline)
        pdu_type, length = decode_header(header)
        return pdu_type, header, transport.read(length, deadline)
    except NetworkTimedOut as error:
        raise (timed_out() if time.monotonic() >= deadline else error) from None


def _abort(transport: Transport) -> None:
    try:
        with contextlib.suppress(AssociationError):  # the connection is gone: nothing is left to abort
            if transport.is_between_messages:
                transport.write([_ABORT_BYTES])
    finally:
        transport.close()


def _name(pdu: PDU) -> str:
    return type(pdu).__name__.replace("_", "-")
