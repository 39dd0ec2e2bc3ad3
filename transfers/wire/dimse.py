"""C-ECHO and C-FIND as their SCU, over an association that stands (PS3.7 9.1.5 and 9.1.2, PS3.4 C.4.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from typing import NamedTuple

from pydicom.uid import UID
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, DimsePrimitiveType
from pynetdicom.status import QR_FIND_SERVICE_CLASS_STATUS

from audit.escaping import IT_SAYS
from transfers.errors import ListingEndless, ListingFailed, ListingRefused, NoPresentationContext, UnexpectedAnswer
from transfers.wire.association import AcceptedContext, Association, EncodedMessage, ProposedContext
from transfers.wire.foreign_text import clean_text
from transfers.wire.identifiers import TRANSFER_SYNTAXES, Query, Row, encode_query, read_row
from transfers.wire.messages import decode_message

VERIFICATION_CONTEXT = ProposedContext("1.2.840.10008.1.1", TRANSFER_SYNTAXES)
FIND_CONTEXT = ProposedContext("1.2.840.10008.5.1.4.1.2.2.1", TRANSFER_SYNTAXES)
"""Study Root Query/Retrieve Information Model – FIND."""

_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_NEVER_PASSES = frozenset({0x0122, 0x0124, 0x0211, 0x0212, 0xA900})
"""Statuses that mean the same tomorrow: SOP class not supported, not authorised, question not understood."""

message_ids = cycle(range(1, 65_536))
"""Of every message that this process sends (PS3.7 9.1): unlike those of any other that may be outstanding."""


@dataclass(frozen=True, slots=True)
class ListBounds:
    """What a list may not exceed, so that one without end is noticed."""

    rows: int = 20_000
    seconds: float = 600.0


class Response(NamedTuple):
    """What an answer says."""

    status_code: int
    error_comment: str


def echo(association: Association) -> int:
    """Return the status code of a C-ECHO. Raises AssociationError; NoPresentationContext where it is not offered."""
    context = context_for(association, VERIFICATION_CONTEXT)
    request = C_ECHO()
    request.MessageID = next(message_ids)
    request.AffectedSOPClassUID = UID(context.abstract_syntax)
    association.send_message(context.context_id, request)
    association.acknowledge_quickly()
    message = association.receive_encoded()
    return judged(message, C_ECHO, request.MessageID, context).status_code


def find(association: Association, query: Query, bounds: ListBounds = ListBounds()) -> Iterator[Row]:
    """Ask, and yield a row for each pending response; it ends without an error only on status 0x0000.

    Raises ListingFailed where the list ends otherwise or not at all, and AssociationError; NoPresentationContext
    where Study Root FIND was not accepted. An association over which a list was not read to its end, be it by
    ListingEndless, is of no more use.
    """
    context = find_context(association)
    message_id = next(message_ids)
    association.send_message(context.context_id, _request(query, context, message_id))
    association.acknowledge_quickly()
    deadline = time.monotonic() + bounds.seconds
    for rows, message in enumerate(_pending_responses(association, context, message_id), start=1):
        yield read_row(message.data_set, context.transfer_syntax)
        if rows > bounds.rows or time.monotonic() > deadline:
            raise ListingEndless(f"The destination's list did not end within {rows:,} rows. Its log may say why.")


def find_context(association: Association) -> AcceptedContext:
    """Return the context that lists are asked for in. Raises NoPresentationContext where it was not accepted."""
    return context_for(association, FIND_CONTEXT)


def context_for(association: Association, proposed: ProposedContext) -> AcceptedContext:
    """Return the context that was accepted for what was proposed. Raises NoPresentationContext where none was."""
    context = association.accepted_context(proposed.abstract_syntax)
    if context is None:
        reasons = [each.reason for each in association.rejected if each.abstract_syntax == proposed.abstract_syntax]
        name = UID(proposed.abstract_syntax).name
        raise NoPresentationContext(
            f"The destination does not offer {name}: {', '.join(reasons) or 'it was not proposed'}. Enable it there."
        )
    return context


def _request(query: Query, context: AcceptedContext, message_id: int) -> C_FIND:
    request = C_FIND()
    request.MessageID = message_id
    request.AffectedSOPClassUID = UID(context.abstract_syntax)
    request.Priority = 0
    request.Identifier = BytesIO(encode_query(query, context.transfer_syntax))
    return request


def _pending_responses(association: Association, context: AcceptedContext, message_id: int) -> Iterator[EncodedMessage]:
    pending = b""  # the command set of every row is the same, so it is decoded once
    while True:
        message = association.receive_encoded()
        if message.command_set != pending or message.context_id != context.context_id:
            response = judged(message, C_FIND, message_id, context)
            if response.status_code not in _PENDING:
                _check_is_complete(response)
                return
            pending = message.command_set
        if not message.data_set:
            raise UnexpectedAnswer("The destination's list has a row with nothing in it (PS3.7 9.1.2.1).")
        yield message


def judged(
    message: EncodedMessage, kind: type[DimsePrimitiveType], message_id: int, context: AcceptedContext
) -> Response:
    """Return what a response says. Raises UnexpectedAnswer where it is none to this request."""
    response = decode_message(message)
    answered = getattr(response, "MessageIDBeingRespondedTo", None)
    status_code = getattr(response, "Status", None)
    if not isinstance(response, kind) or answered is None or status_code is None:
        raise UnexpectedAnswer(
            f"The destination answered a {kind.__name__.replace('_', '-')} request with something else "
            f"({type(response).__name__.replace('_', '-')})."
        )
    if answered != message_id or message.context_id != context.context_id:
        raise UnexpectedAnswer(f"The destination answered message {answered} where message {message_id} was sent.")
    return Response(int(status_code), clean_text(str(getattr(response, "ErrorComment", None) or "")))


def _check_is_complete(response: Response) -> None:
    code = response.status_code
    if code == _SUCCESS:
        return
    _, meaning = QR_FIND_SERVICE_CLASS_STATUS.get(code, ("", "a status that no table of DICOM lists"))
    error = ListingRefused if code in _NEVER_PASSES else ListingFailed
    raise error(
        f"The destination ended its list with status 0x{code:04X} ({meaning}), not with success."
        + (f"{IT_SAYS}{response.error_comment}" if response.error_comment else "")
    )
