"""Storage Commitment Push Model as its SCU, over an association that stands (PS3.4 Annex J, PS3.7 10.1.1 and 10.1.4).

A destination is asked by N-ACTION, on an association of its own, and reports by N-EVENT-REPORT: mostly on a new
association to our listener (`report_server`), but some on the one that they were asked over, while it lasts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from threading import Event

from pydicom.uid import UID
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.status import GENERAL_STATUS

from audit.escaping import IT_SAYS
from transfers.errors import (
    AssociationError,
    CommitmentRefused,
    CommitmentRefusedForNow,
    ReportNotUnderstood,
    UnexpectedAnswer,
)
from transfers.wire.association import AcceptedContext, Association, EncodedMessage, ProposedContext
from transfers.wire.command_set import COMMAND_FIELD, read_elements
from transfers.wire.commitment_report import (
    CommitmentReport,
    FailedReference,
    Reference,
    encode_request,
    read_report,
)
from transfers.wire.dimse import Response, context_for, judged, message_ids
from transfers.wire.identifiers import TRANSFER_SYNTAXES
from transfers.wire.messages import decode_message

__all__ = [
    "COMMITMENT_CONTEXT",
    "CommitmentReport",
    "FailedReference",
    "Keep",
    "Reference",
    "await_reports",
    "request_commitment",
]

logger = logging.getLogger(__name__)

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""The well-known SOP instance that every request and report is about (PS3.4 J.3.5)."""
COMMITMENT_CONTEXT = ProposedContext(STORAGE_COMMITMENT, TRANSFER_SYNTAXES)
SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110

Keep = Callable[[CommitmentReport], bool]
"""Stores a report durably; anything but True, or an error, has the peer told that it was not taken."""

_REQUEST_STORAGE_COMMITMENT = 1
_EVENT_REPORT_REQUEST = b"\x00\x01"
_PASSES = frozenset({0x0110, 0x0210, 0x0213})
"""Statuses that may be another one later: processing failure, a Message ID used twice, no resources."""
_LOOK_SECONDS = 0.1


def request_commitment(
    association: Association, transaction_uid: str, references: Iterable[Reference], keep: Keep | None = None
) -> None:
    """Ask to commit to these instances; returns once the destination has said that it will report (N-ACTION, 0x0000).

    A report that comes before that answer is handed to `keep`, and answered, at once: some destinations wait for it.
    Without `keep` it is answered with a failure, so that the destination sends it again.

    Raises CommitmentRefused where the answer is another status, NoPresentationContext where Storage Commitment is not
    offered, and AssociationError; after one of these the request may have arrived all the same, unless it was the first
    two.
    """
    context = context_for(association, COMMITMENT_CONTEXT)
    request = N_ACTION()
    request.MessageID = next(message_ids)
    request.RequestedSOPClassUID = UID(STORAGE_COMMITMENT)
    request.RequestedSOPInstanceUID = UID(STORAGE_COMMITMENT_INSTANCE)
    request.ActionTypeID = _REQUEST_STORAGE_COMMITMENT
    request.ActionInformation = BytesIO(encode_request(transaction_uid, references, context.transfer_syntax))
    association.send_message(context.context_id, request)
    association.acknowledge_quickly()
    message = _answer_after_reports(association, context, keep or _keep_nothing)
    response = judged(message, N_ACTION, request.MessageID, context)
    if response.status_code != SUCCESS:
        raise _refusal(response)


def await_reports(association: Association, seconds: float, keep: Keep, stop: Event, expected: int = 1) -> int:
    """Take reports that come over the association that they were asked for, and return how many were kept.

    Ends after so many seconds, once as many as expected were kept, when `stop` is set, or when the destination ends
    the association or says something that is no report: it may then still report on another association. Each report is
    answered with success once `keep` has returned True, else with 0x0110.
    """
    deadline = time.monotonic() + seconds
    kept = 0
    try:
        context = context_for(association, COMMITMENT_CONTEXT)
        while kept < expected and not stop.is_set() and (left := deadline - time.monotonic()) > 0:
            if association.hears_something_within(min(left, _LOOK_SECONDS)):
                kept += _take_report(association, context, association.receive_encoded(), keep)
    except AssociationError as error:
        logger.info(
            "The association for Storage Commitment ended before a report came",
            extra={"action": "commitment_association_ended", "code": error.code},
        )
    return kept


def _answer_after_reports(association: Association, context: AcceptedContext, keep: Keep) -> EncodedMessage:
    deadline = time.monotonic() + association.timeouts.dimse_seconds
    while _is_report(message := association.receive_encoded(deadline - time.monotonic())):
        _take_report(association, context, message, keep)
    return message


def _is_report(message: EncodedMessage) -> bool:
    return read_elements(message.command_set).get(COMMAND_FIELD) == _EVENT_REPORT_REQUEST


def _take_report(association: Association, context: AcceptedContext, message: EncodedMessage, keep: Keep) -> bool:
    """Whether it was kept. Raises AssociationError where it cannot be answered, or is no report."""
    request = decode_message(message) if _is_report(message) else None
    if not isinstance(request, N_EVENT_REPORT) or message.context_id != context.context_id:
        raise UnexpectedAnswer("The destination sent something else than a report on the association for reports.")
    was_kept = _is_kept(request, message.data_set, context.transfer_syntax, keep)
    association.send_message(context.context_id, _answer(request, SUCCESS if was_kept else PROCESSING_FAILURE))
    return was_kept


def _is_kept(request: N_EVENT_REPORT, information: bytes, transfer_syntax: str, keep: Keep) -> bool:
    try:
        if str(request.AffectedSOPClassUID) != STORAGE_COMMITMENT:
            raise ReportNotUnderstood("A report is not about Storage Commitment. It was not used.")
        return keep(read_report(request.EventTypeID, information, transfer_syntax)) is True
    except ReportNotUnderstood as error:
        logger.warning("A report was not understood", extra={"action": "report_not_understood", "reason": str(error)})
    except Exception as error:  # whatever a database does: the destination has to know that it was not stored
        logger.exception("A report was not kept", extra={"action": "report_not_kept", "error": type(error).__name__})
    return False


def _answer(request: N_EVENT_REPORT, status_code: int) -> N_EVENT_REPORT:
    answer = N_EVENT_REPORT()
    answer.MessageIDBeingRespondedTo = request.MessageID
    answer.AffectedSOPClassUID = request.AffectedSOPClassUID
    answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    answer.EventTypeID = request.EventTypeID
    answer.Status = status_code
    return answer


def _keep_nothing(_: CommitmentReport) -> bool:
    return False


def _refusal(response: Response) -> CommitmentRefused:
    code = response.status_code
    _, meaning = GENERAL_STATUS.get(code, ("", "a status that DICOM does not list for it"))
    kind = CommitmentRefusedForNow if code in _PASSES else CommitmentRefused
    return kind(
        f"The destination answered the request to commit with status 0x{code:04X} ({meaning}), not with success."
        + (f"{IT_SAYS}{response.error_comment}" if response.error_comment else ""),
        code,
        response.error_comment,
    )
