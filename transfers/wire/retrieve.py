"""C-GET as its SCU, by which a destination sends instances back over the same association (PS3.4 C.4.3, PS3.7 9.1.3).

Its C-STORE sub-operations are received as streams, and each is answered; nothing of a data set is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import NamedTuple, Protocol, TypeAlias

from pydicom.uid import UID
from pynetdicom.status import QR_GET_SERVICE_CLASS_STATUS

from audit.escaping import IT_SAYS
from transfers.errors import (
    InstanceNotFound,
    NoPresentationContext,
    RetrievalEndless,
    RetrievalFailed,
    RetrievalFailedForNow,
    RetrievalRefused,
    UnexpectedAnswer,
)
from transfers.wire.association import AcceptedContext, Association, EncodedMessage, ProposedContext
from transfers.wire.get_messages import GetResponse, get_request, read_get_response
from transfers.wire.identifiers import TRANSFER_SYNTAXES, Wanted, encode_wanted
from transfers.wire.pdu import framed_command
from transfers.wire.store_messages import StoreRequest, encode_store_response, read_store_request

GET_CONTEXT = ProposedContext("1.2.840.10008.5.1.4.1.2.2.3", TRANSFER_SYNTAXES)
"""Study Root Query/Retrieve Information Model – GET."""
MOST_UNASKED = 100
"""Instances that nobody asked for, or that came before, after which a retrieval is given up."""
MOST_DROPPED_BYTES = 4 << 30
"""Of instances that nobody asked for; without an end of its own, such a one would hold us for ever."""
_MOST_PENDING = 10_000
"""Pending responses in a row without an instance between them."""

_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_NOT_AUTHORISED = 0x0124
_OUT_OF_RESOURCES = frozenset({0xA701, 0xA702})
_NEVER_PASSES = frozenset({0x0122, 0x0124, 0x0211, 0x0212, 0xA900})
"""Statuses that mean the same tomorrow: SOP class not supported, not authorised, question not understood."""

_message_ids = cycle(range(1, 65_536))


class Incoming(NamedTuple):
    """An instance that is about to be received."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


class InstanceSink(Protocol):
    """Where a data set goes as it comes; its own limits are its own."""

    def write(self, fragment: bytes, /) -> object: ...

    @property
    def status_code(self) -> int:
        """What the C-STORE request is answered with: 0x0000, or 0xA700 where there was no room for it."""
        ...


OpenInstance: TypeAlias = Callable[[Incoming], InstanceSink]


class Received(NamedTuple):
    """An instance that was received and answered."""

    incoming: Incoming
    sink: InstanceSink


class _Dropped:
    """Takes what nobody asked for, and keeps nothing of it."""

    status_code = _NOT_AUTHORISED
    _bytes = 0

    def write(self, fragment: bytes, /) -> None:
        """Raises RetrievalEndless."""
        self._bytes += len(fragment)
        if self._bytes > MOST_DROPPED_BYTES:
            raise RetrievalEndless


class Retrieval:
    """One C-GET. Only what was asked for counts; what else comes is answered with 0x0124, dropped, and counted.

    An association over which a retrieval was not read to its end is of no more use.
    """

    def __init__(self, association: Association, wanted: Wanted, open_instance: OpenInstance) -> None:
        """Raises NoPresentationContext where Study Root GET was not accepted."""
        self.unasked = 0
        """How many instances came that nobody asked for."""
        self._came = 0
        self._dropped = _Dropped()
        self._association = association
        self._wanted = wanted
        self._uids = frozenset(wanted.sop_instance_uids)
        self._open_instance = open_instance
        self._context = get_context(association)
        self._contexts = {context.context_id: context for context in association.accepted}
        self._message_id = next(_message_ids)
        self._arriving: tuple[StoreRequest, Received] | None = None
        self._final: GetResponse | None = None

    def instances(self) -> Iterator[Received]:
        """Ask, and yield each instance that was asked for as soon as it is answered; one may come twice.

        It ends with the last response, whatever that says: `why_missing` tells. Raises AssociationError,
        RetrievalEndless, and what the sinks raise.
        """
        association = self._association
        identifier = encode_wanted(self._wanted, self._context.transfer_syntax)
        request = get_request(self._context.abstract_syntax, self._message_id, identifier)
        association.stream_data_sets(self._open_sink)
        association.send_message(self._context.context_id, request)
        association.acknowledge_quickly()
        pending = 0
        while self._final is None:
            received = self._take(association.receive_encoded())
            pending = 0 if received else pending + 1
            self._check_ends(pending)
            if received is not None and not isinstance(received.sink, _Dropped):
                yield received
        association.stream_data_sets(None)

    @staticmethod
    def _kind_of(code: int) -> type[RetrievalFailed]:
        if code in _NEVER_PASSES:
            return RetrievalRefused
        return RetrievalFailedForNow if code in _OUT_OF_RESOURCES else RetrievalFailed

    def why_missing(self) -> RetrievalFailed:
        """Why an instance did not come that was asked for, once all has been read."""
        assert self._final is not None, "asked before the retrieval has ended"
        code, failed = self._final.status_code, self._final.failed
        if code == _SUCCESS and not failed:
            return InstanceNotFound()
        _, meaning = QR_GET_SERVICE_CLASS_STATUS.get(code, ("", "a status that no table of DICOM lists"))
        return self._kind_of(code)(
            f"The destination did not hand over the instance: it ended with status 0x{code:04X}"
            + (f" ({meaning})" if meaning else "")
            + (f" and {failed} failed" if failed else "")
            + "."
            + (f"{IT_SAYS}{self._final.error_comment}" if self._final.error_comment else "")
        )

    def _open_sink(self, context_id: int, command_set: bytes) -> InstanceSink | None:
        if context_id == self._context.context_id:
            return None  # the identifier of a response: which sub-operations failed
        context = self._contexts.get(context_id)
        if context is None:
            raise UnexpectedAnswer("The destination sent an instance in a presentation context that it did not accept.")
        request = read_store_request(command_set)
        incoming = Incoming(request.sop_class_uid, request.sop_instance_uid, context.transfer_syntax)
        sink = self._open_instance(incoming) if incoming.sop_instance_uid in self._uids else self._dropped
        self._arriving = request, Received(incoming, sink)
        return sink

    def _take(self, message: EncodedMessage) -> Received | None:
        """Answer an instance, or read a response."""
        if message.context_id == self._context.context_id:
            self._read_response(message)
            return None
        if self._arriving is None:
            raise UnexpectedAnswer("The destination sent a C-STORE request without an instance (PS3.7 9.3.1.1).")
        (request, received), self._arriving = self._arriving, None
        response = encode_store_response(request, received.sink.status_code)
        self._association.write(framed_command(message.context_id, response, self._association.fragment_size))
        self._association.acknowledge_quickly()
        if isinstance(received.sink, _Dropped):
            self.unasked += 1
        else:
            self._came += 1
        return received

    def _read_response(self, message: EncodedMessage) -> None:
        response = read_get_response(message.command_set)
        if response.message_id != self._message_id:
            raise UnexpectedAnswer(
                f"The destination answered message {response.message_id} where message {self._message_id} was sent."
            )
        if response.status_code not in _PENDING:
            self._final = response

    def _check_ends(self, pending: int) -> None:
        repeated = self._came - len(self._uids)
        if max(self.unasked, repeated) > MOST_UNASKED or pending > _MOST_PENDING:
            raise RetrievalEndless


def get_context(association: Association) -> AcceptedContext:
    """Return the context that instances are asked for in. Raises NoPresentationContext where it was not accepted."""
    context = association.accepted_context(GET_CONTEXT.abstract_syntax)
    if context is None:
        raise NoPresentationContext(
            f"The destination does not offer {UID(GET_CONTEXT.abstract_syntax).name}, so nothing can be read back by "
            "C-GET. Enable it there, or name the same archive's DICOMweb or Orthanc side."
        )
    return context
