"""Storage commitment of a scripted archive (PS3.4 Annex J): what it is asked, and what it reports, rightly or not.

How to use it for whole transfers: a script names what becomes of the request, what is reported, and how that comes:

    peer = archive(Script(reports_to=settings.DICOM_PORT))                        # honest, on a new association
    peer = archive(Script())                                                      # honest, on the same association
    peer = archive(Script(on_commitment=Answer(0x0122)))                          # refuses the N-ACTION
    peer = archive(Script(on_commitment=Abort(stores=True), reports_to=port))     # aborts, and reports all the same
    peer = archive(Script(without_sop_classes=[STORAGE_COMMITMENT]))              # does not offer it
    peer = archive(Script(reports=dropping(uid), reports_to=port))                # fails one with 0x0112
    peer = archive(Script(reports=silent))                                        # never reports
    peer = archive(Script(reports=in_turn(lying, omitting(uid)), reports_to=port))
    peer = archive(Script(delivery=Delivery(delay_seconds=1), reports_to=port))   # late
    peer = archive(Script(delivery=Delivery(calling_ae_title="SOMEBODY"), reports_to=port))
    peer = archive(Script(delivery=Delivery(over=Over.BEFORE_THE_ANSWER)))

Honest means: each instance that is stored under the SOP class asked for is committed, all else fails with 0x0112 or
0x0119. `archive.log.commitments` has what was asked, `archive.log.reports` what was reported and how it was answered;
`archive.report(…)` sends any report at any time, whatever was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode, encode

if TYPE_CHECKING:
    from tests.fakes.holdings import Holding

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
NO_SUCH_INSTANCE, CLASS_CONFLICT, PROCESSING_FAILURE = 0x0112, 0x0119, 0x0110
ALL_COMMITTED, SOME_FAILED = 1, 2

Reference = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""
Failure = tuple[str, str, int | None]
"""The same with the failure reason, which may be missing."""


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """An N-ACTION-RQ with its data set."""

    number: int
    association: int
    transaction_uid: str
    references: tuple[Reference, ...]

    @property
    def about(self) -> str:
        return self.transaction_uid


class Over(StrEnum):
    """How a report gets to whoever asked."""

    NEW_ASSOCIATION = "new association"
    SAME_ASSOCIATION = "same association"
    BEFORE_THE_ANSWER = "before the answer"
    """On the same association, before the N-ACTION-RSP, which waits for the report's own answer."""
    NEW_ASSOCIATION_BEFORE_THE_ANSWER = "new association before the answer"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The ways to bring a report."""

    over: Over | None = None
    """None: a new association where the script says whereto, else the same one."""
    delay_seconds: float = 0.0
    role: tuple[bool, bool] | None = (False, True)
    """(SCU, SCP) of the role selection proposed on a new association (PS3.7 D.3.3.4); None proposes none."""
    calling_ae_title: str | None = None
    """None: the archive's own."""
    called_ae_title: str | None = None
    """None: the one that asked."""
    tries: int = 1
    """Until one is answered with success, a fifth of a second apart."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an N-EVENT-REPORT says."""

    transaction_uid: str
    committed: tuple[Reference, ...] = ()
    failed: tuple[Failure, ...] = ()
    event_type_id: int | None = None
    """None: the one that is right."""
    data_set: bytes | None = None
    """Sent as it is, in Explicit or Implicit VR as was negotiated, in place of what is above."""
    delivery: Delivery | None = None
    """None: the script's."""

    @property
    def event_type(self) -> int:
        return self.event_type_id or (SOME_FAILED if self.failed else ALL_COMMITTED)

    def encoded(self, transfer_syntax_uid: str) -> bytes:
        """The Event Information (PS3.4 table J.3-2)."""
        if self.data_set is not None:
            return self.data_set
        information = Dataset()
        information.TransactionUID = self.transaction_uid
        information.ReferencedSOPSequence = [_item(*reference) for reference in self.committed]
        if self.failed:
            information.FailedSOPSequence = [_item(*failure) for failure in self.failed]
        syntax = UID(transfer_syntax_uid)
        encoded = encode(information, syntax.is_implicit_VR, syntax.is_little_endian)
        assert encoded is not None, "a report of the script cannot be encoded"
        return encoded


@dataclass
class SentReport:
    """A report that was delivered, or not."""

    report: Report
    status_code: int | None = None
    """Of the N-EVENT-REPORT-RSP; None where there was none."""
    problem: str = ""
    """What prevented it: "refused", "rejected: result 1, source 1, reason 3", "not accepted", "lost" …"""
    tries: int = field(default=0)


Rewrite = Callable[[CommitmentRequest, Report], Iterable[Report]]
"""Makes of the report that is right those that are sent."""


def read_request(number: int, association: int, data_set: bytes, transfer_syntax_uid: str) -> CommitmentRequest:
    """Raises whatever pydicom raises where it is none."""
    syntax = UID(transfer_syntax_uid)
    information = decode(BytesIO(data_set), syntax.is_implicit_VR, syntax.is_little_endian)
    references = tuple(
        (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
        for item in information.ReferencedSOPSequence
    )
    return CommitmentRequest(number, association, str(information.TransactionUID), references)


def honest_report(request: CommitmentRequest, stored: Mapping[str, Holding]) -> Report:
    committed, failed = [], []
    for sop_class_uid, sop_instance_uid in request.references:
        holding = stored.get(sop_instance_uid)
        if holding is None:
            failed.append((sop_class_uid, sop_instance_uid, NO_SUCH_INSTANCE))
        elif holding.sop_class_uid != sop_class_uid:
            failed.append((sop_class_uid, sop_instance_uid, CLASS_CONFLICT))
        else:
            committed.append((sop_class_uid, sop_instance_uid))
    return Report(request.transaction_uid, tuple(committed), tuple(failed))


# Ways to make a report wrong, for `Script.reports`


def silent(_: CommitmentRequest, __: Report) -> list[Report]:
    """Never a report."""
    return []


def lying(request: CommitmentRequest, report: Report) -> list[Report]:
    """All is committed, whatever is there."""
    return [replace(report, committed=request.references, failed=())]


def dropping(*sop_instance_uids: str, reason: int | None = NO_SUCH_INSTANCE) -> Rewrite:
    """These fail."""

    def rewrite(_: CommitmentRequest, report: Report) -> list[Report]:
        dropped = tuple((*each, reason) for each in report.committed if each[1] in sop_instance_uids)
        committed = tuple(each for each in report.committed if each[1] not in sop_instance_uids)
        return [replace(report, committed=committed, failed=report.failed + dropped)]

    return rewrite


def all_failed(reason: int | None = NO_SUCH_INSTANCE) -> Rewrite:
    """Nothing is committed: an empty list of successes, and event type 2."""
    return lambda request, report: [
        replace(report, committed=(), failed=tuple((*each, reason) for each in request.references))
    ]


def omitting(*sop_instance_uids: str) -> Rewrite:
    """These are in neither list."""

    def rewrite(_: CommitmentRequest, report: Report) -> list[Report]:
        return [
            replace(
                report,
                committed=tuple(each for each in report.committed if each[1] not in sop_instance_uids),
                failed=tuple(each for each in report.failed if each[1] not in sop_instance_uids),
            )
        ]

    return rewrite


def empty(_: CommitmentRequest, report: Report) -> list[Report]:
    """Success, with nothing in it."""
    return [replace(report, committed=(), failed=())]


def of_event_type(event_type_id: int) -> Rewrite:
    """The lists are right, the event type may contradict them."""
    return lambda _, report: [replace(report, event_type_id=event_type_id)]


def of_transaction(transaction_uid: str) -> Rewrite:
    """All is right but the Transaction UID."""
    return lambda _, report: [replace(report, transaction_uid=transaction_uid)]


def with_foreign(*sop_instance_uids: str) -> Rewrite:
    """These, which nobody asked about, are committed as well."""

    def rewrite(request: CommitmentRequest, report: Report) -> list[Report]:
        sop_class_uid = request.references[0][0]
        foreign = tuple((sop_class_uid, uid) for uid in sop_instance_uids)
        return [replace(report, committed=report.committed + foreign)]

    return rewrite


def under_sop_class(sop_class_uid: str) -> Rewrite:
    """Commits to the right UIDs under another SOP class."""
    return lambda _, report: [replace(report, committed=tuple((sop_class_uid, uid) for _, uid in report.committed))]


def in_both_lists(_: CommitmentRequest, report: Report) -> list[Report]:
    """Each instance that is committed is said to have failed as well."""
    return [replace(report, failed=report.failed + tuple((*each, PROCESSING_FAILURE) for each in report.committed))]


def repeated(times: int = 2) -> Rewrite:
    """The same report so many times."""
    return lambda _, report: [report] * times


def encoded_as(data_set: bytes) -> Rewrite:
    """These bytes in place of a data set."""
    return lambda _, report: [replace(report, data_set=data_set)]


def delivered(delivery: Delivery) -> Rewrite:
    """Brought in this way, whatever the script says of others."""
    return lambda _, report: [replace(report, delivery=delivery)]


def first_then(first: Rewrite, second: Rewrite) -> Rewrite:
    """Two reports about one request."""
    return lambda request, report: [*first(request, report), *second(request, report)]


def in_turn(*rewrites: Rewrite) -> Rewrite:
    """One change after the other."""

    def rewrite(request: CommitmentRequest, report: Report) -> Iterable[Report]:
        reports: list[Report] = [report]
        for change in rewrites:
            reports = [made for each in reports for made in change(request, each)]
        return reports

    return rewrite


def _item(sop_class_uid: str, sop_instance_uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item
