"""What the demo archive commits to (PS3.4 Annex J): each file is read again, and the report brought a moment later.

No Django. A report goes over a new association, on which the archive proposes to be the SCP (PS3.7 D.3.3.4). Where it
cannot be brought it is tried again a few times, and then forgotten: whoever asked may ask again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from queue import Empty, Queue
from threading import Event, Thread

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode

from transfers.demo_store import DemoStore
from transfers.endpoints import DicomEndpoint, Timeouts
from transfers.errors import AssociationError
from transfers.wire.association import Association, ProposedContext

logger = logging.getLogger(__name__)

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
ALL_COMMITTED, SOME_FAILED = 1, 2
SUCCESS = 0x0000
PAUSES_SECONDS = (1.0, 5.0, 15.0, 60.0)
"""Before each further attempt."""
CONTEXT = ProposedContext(STORAGE_COMMITMENT, (ExplicitVRLittleEndian, ImplicitVRLittleEndian), as_scp=True)
TIMEOUTS = Timeouts(connect_seconds=5, acse_seconds=10, dimse_seconds=10, network_seconds=10)
LOOK_SECONDS = 0.2
ENDING_SECONDS = 2.0

Reference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""
Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """An N-ACTION that was taken, and where its report goes."""

    transaction_uid: str
    references: tuple[Reference, ...]
    asked_by: str
    """The AE title."""
    report_to: Address


class UnsuitableRequest(Exception):
    """The action information is none (PS3.4 table J.3-1)."""


def read_request(information: Dataset, asked_by: str, report_to: Address) -> CommitmentRequest:
    """Raises UnsuitableRequest."""
    try:
        transaction_uid = str(information.TransactionUID)
        references = tuple(
            (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in information.ReferencedSOPSequence
        )
    except Exception as error:
        raise UnsuitableRequest("Transaction UID or references are missing") from error
    if not transaction_uid or not references:
        raise UnsuitableRequest("Transaction UID or references are empty")
    return CommitmentRequest(transaction_uid, references, asked_by, report_to)


class Committer:
    """Works on one request after the other, in a thread of its own, between `start` and `stop`."""

    def __init__(self, store: DemoStore, ae_title: str) -> None:
        self._store = store
        self._ae_title = ae_title
        self._requests: Queue[CommitmentRequest] = Queue()
        self._stop = Event()
        self._threads: list[Thread] = []

    def take(self, request: CommitmentRequest) -> None:
        self._requests.put(request)

    def start(self) -> None:
        self._stop.clear()
        self._begin(self._work)

    def stop(self) -> None:
        """What was not reported by then never is."""
        self._stop.set()
        for thread in self._threads:
            thread.join(ENDING_SECONDS)
        self._threads.clear()

    def _begin(self, target: object, *arguments: object) -> None:
        assert callable(target)
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = Thread(target=target, args=arguments, name="storage commitment of the demo archive", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                request = self._requests.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            report = make_report(request, self._store)
            # One that cannot be reached must not keep the others waiting.
            self._begin(self._bring, request, report)

    def _bring(self, request: CommitmentRequest, report: Dataset) -> None:
        for pause in (0.0, *PAUSES_SECONDS):
            if self._stop.wait(pause) or _is_taken(report, request, self._ae_title):
                return
        logger.warning("A report of the demo archive could not be brought", extra={"report_to": request.report_to})


def make_report(request: CommitmentRequest, store: DemoStore) -> Dataset:
    """The event information (PS3.4 table J.3-2)."""
    reasons = {reference: store.failure_reason(*reference) for reference in request.references}
    report = Dataset()
    report.TransactionUID = request.transaction_uid
    report.ReferencedSOPSequence = _items(each for each, reason in reasons.items() if reason is None)
    if any(reason is not None for reason in reasons.values()):
        report.FailedSOPSequence = _items(each for each, reason in reasons.items() if reason is not None)
        for item in report.FailedSOPSequence:
            item.FailureReason = reasons[item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID]
    return report


def _items(references: Iterable[Reference]) -> list[Dataset]:
    items = []
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        items.append(item)
    return items


def _is_taken(report: Dataset, request: CommitmentRequest, ae_title: str) -> bool:
    """Whether it was answered with success."""
    host, port = request.report_to
    endpoint = DicomEndpoint(host, port, request.asked_by, ae_title, timeouts=TIMEOUTS)
    try:
        with Association.open(endpoint, [CONTEXT]) as association:
            (context,) = association.accepted or (None,)
            if context is None:
                return False
            association.send_message(context.context_id, _message(report, context.transfer_syntax))
            _, answer = association.receive_message()
            return getattr(answer, "Status", None) == SUCCESS
    except AssociationError as error:
        logger.info("A report of the demo archive did not arrive", extra={"code": error.code, "reason": str(error)})
        return False


def _message(report: Dataset, transfer_syntax: str) -> N_EVENT_REPORT:
    """PS3.7 10.1.1."""
    encoded = encode(report, UID(transfer_syntax).is_implicit_VR, True)
    assert encoded is not None, "a report that cannot be encoded"
    message = N_EVENT_REPORT()
    message.MessageID = 1
    message.AffectedSOPClassUID = UID(STORAGE_COMMITMENT)
    message.AffectedSOPInstanceUID = UID(STORAGE_COMMITMENT_INSTANCE)
    message.EventTypeID = SOME_FAILED if "FailedSOPSequence" in report else ALL_COMMITTED
    message.EventInformation = BytesIO(encoded)
    return message
