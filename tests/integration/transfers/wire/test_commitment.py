"""Requests to commit, and reports over the association that they were asked on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from tests.datasets import write_study
from tests.entries import entries_of
from tests.fakes.acts import Abort, Act, Answer, Close, Silence
from tests.fakes.archive import Archive
from tests.fakes.commitment import (
    STORAGE_COMMITMENT,
    Delivery,
    Over,
    all_failed,
    dropping,
    encoded_as,
    first_then,
    repeated,
    silent,
)
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from transfers.endpoints import Timeouts
from transfers.errors import (
    AnswerTimedOut,
    AssociationAborted,
    AssociationLost,
    CommitmentRefused,
    CommitmentRefusedForNow,
    NoPresentationContext,
    UnexpectedAnswer,
)
from transfers.wire.association import Association
from transfers.wire.commitment import (
    COMMITMENT_CONTEXT,
    CommitmentReport,
    FailedReference,
    Keep,
    Reference,
    await_reports,
    request_commitment,
)

TIMEOUTS = Timeouts(acse_seconds=5, dimse_seconds=1, network_seconds=5)
TRANSACTION_UID = "2.25.4711"
LONG = 10.0


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    return write_study(tmp_path, instances=3, size_bytes=64)


def references_to(study: list[Path]) -> tuple[Reference, ...]:
    return tuple(Reference(entry.sop_class_uid, entry.sop_instance_uid) for entry in entries_of(study))


def opened(peer: Archive) -> Association:
    return Association.open(peer.endpoint(timeouts=TIMEOUTS), [COMMITMENT_CONTEXT])


class Kept(list[CommitmentReport]):
    """Keeps reports, or does what a database does that is away."""

    def __init__(self, fault: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self._fault = fault

    def keep(self, report: CommitmentReport) -> bool:
        self.append(report)
        return self._fault()


def nobody(_: CommitmentReport) -> bool:
    raise AssertionError("no report was expected")


def ask_and_await(peer: Archive, study: list[Path], keep: Keep, *, seconds: float = LONG, expected: int = 1) -> int:
    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study), keep)
        return await_reports(association, seconds, keep, Event(), expected)


def answered(peer: Archive, status_codes: list[int]) -> None:
    peer.wait_until(lambda peer: [sent.status_code for sent in peer.log.reports] == status_codes)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=["explicit", "implicit"])
def test_a_request_names_every_instance(archive: MakeArchive, study: list[Path], syntax: str) -> None:
    peer = archive(Script(transfer_syntaxes=[syntax], reports=silent))

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study))

    (asked,) = peer.log.commitments
    assert (asked.transaction_uid, asked.references) == (TRANSACTION_UID, references_to(study))
    assert peer.log.broken_rules == []
    assert [association.ended for association in peer.log.associations] == ["released"]


@pytest.mark.parametrize("over", [Over.SAME_ASSOCIATION, Over.BEFORE_THE_ANSWER])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.3])
def test_a_report_over_the_same_association_is_kept_and_then_answered(
    archive: MakeArchive, study: list[Path], over: Over, delay_seconds: float
) -> None:
    lost = references_to(study)[1]
    delivery = Delivery(over=over, delay_seconds=delay_seconds)
    peer = archive(Script(reports=dropping(lost.sop_instance_uid), delivery=delivery))
    peer.hold(*study)
    kept = Kept()

    ask_and_await(peer, study, kept.keep, seconds=1.0 if over is Over.BEFORE_THE_ANSWER else LONG)

    first, _, third = references_to(study)
    assert kept == [CommitmentReport(TRANSACTION_UID, 2, (first, third), (FailedReference(*lost, 0x0112),))]
    answered(peer, [0x0000])
    assert peer.log.broken_rules == []


def fail() -> bool:
    raise OSError("the disk is full")


@pytest.mark.parametrize("fault", [lambda: False, lambda: None, lambda: 1, fail], ids=["false", "none", "1", "raises"])
@pytest.mark.parametrize("over", [Over.SAME_ASSOCIATION, Over.BEFORE_THE_ANSWER])
def test_a_report_that_was_not_kept_is_answered_with_a_failure(
    archive: MakeArchive, study: list[Path], fault: Callable[[], bool], over: Over
) -> None:
    peer = archive(Script(delivery=Delivery(over=over)))
    kept = Kept(fault)

    count = ask_and_await(peer, study, kept.keep, seconds=0.3)

    assert (count, len(kept)) == (0, 1)
    answered(peer, [0x0110])


def test_a_report_that_nobody_would_keep_is_not_taken(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive(Script(delivery=Delivery(over=Over.BEFORE_THE_ANSWER)))

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study))

    answered(peer, [0x0110])


def test_a_report_that_is_not_understood_is_answered_with_a_failure_and_the_next_is_kept(
    archive: MakeArchive, study: list[Path]
) -> None:
    peer = archive(Script(reports=first_then(encoded_as(b"\1\2\3"), all_failed())))
    kept = Kept()

    count = ask_and_await(peer, study, kept.keep)

    assert count == 1
    assert [(report.committed, len(report.failed)) for report in kept] == [((), 3)]
    answered(peer, [0x0110, 0x0000])


def test_as_many_reports_are_awaited_as_are_expected(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive(Script(reports=repeated(2)))
    kept = Kept()

    assert ask_and_await(peer, study, kept.keep, expected=2) == 2


def test_several_requests_over_one_association(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive()
    kept = Kept()
    with opened(peer) as association:
        for number, reference in enumerate(references_to(study)):
            request_commitment(association, f"2.25.{number}", [reference], kept.keep)
        await_reports(association, LONG, kept.keep, Event(), 3 - len(kept))

    assert sorted(report.transaction_uid for report in kept) == ["2.25.0", "2.25.1", "2.25.2"]


def test_waiting_ends_when_it_is_stopped(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive(Script(reports=silent))
    stop = Event()
    stop.set()

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study))
        assert await_reports(association, 3600, nobody, stop) == 0


def test_waiting_ends_with_its_time(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive(Script(reports=silent))
    begun = time.monotonic()

    assert ask_and_await(peer, study, nobody, seconds=0.3) == 0
    assert time.monotonic() - begun < LONG


@pytest.mark.parametrize("act", [Close(), Close(resets=True), Abort()], ids=["close", "reset", "abort"])
def test_waiting_ends_with_the_association(archive: MakeArchive, study: list[Path], act: Act) -> None:
    """The request was taken; the second one is where the association ends."""
    peer = archive(Script(reports=silent, on_commitment={2: act}))

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study))
        with pytest.raises((AssociationLost, AssociationAborted)):
            request_commitment(association, "2.25.2", references_to(study))
        assert await_reports(association, 3600, nobody, Event()) == 0


@pytest.mark.parametrize(
    ("status_code", "error"),
    [
        (0x0112, CommitmentRefused),
        (0x0122, CommitmentRefused),
        (0x0123, CommitmentRefused),
        (0x0124, CommitmentRefused),
        (0x0107, CommitmentRefused),
        (0x4711, CommitmentRefused),
        (0x0110, CommitmentRefusedForNow),
        (0x0213, CommitmentRefusedForNow),
    ],
)
def test_a_request_that_is_refused(
    archive: MakeArchive, study: list[Path], status_code: int, error: type[CommitmentRefused]
) -> None:
    peer = archive(Script(on_commitment=Answer(status_code, error_comment="not\ntoday")))

    with opened(peer) as association, pytest.raises(CommitmentRefused, match=f"0x{status_code:04X}") as raised:
        request_commitment(association, TRANSACTION_UID, references_to(study), nobody)

    assert (type(raised.value), raised.value.status_code) == (error, status_code)
    assert raised.value.error_comment == "not today"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (Abort(), AssociationAborted),
        (Close(), AssociationLost),
        (Silence(), AnswerTimedOut),
        (Answer(None), UnexpectedAnswer),
        (Answer(message_id=60_000), UnexpectedAnswer),
        (Answer(command_field=0x8030), UnexpectedAnswer),
    ],
    ids=["aborted", "closed", "silent", "without status", "other message", "other kind"],
)
def test_a_request_that_is_not_answered_as_it_should_be(
    archive: MakeArchive, study: list[Path], act: Act, error: type[Exception]
) -> None:
    peer = archive(Script(on_commitment=act))

    with pytest.raises(error), opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study), nobody)


def test_commitment_that_is_not_offered(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive(Script(without_sop_classes=[STORAGE_COMMITMENT]))

    with opened(peer) as association, pytest.raises(NoPresentationContext, match="Storage Commitment Push Model"):
        request_commitment(association, TRANSACTION_UID, references_to(study))


def test_what_is_no_report_ends_the_waiting(archive: MakeArchive, study: list[Path]) -> None:
    """The archive's report calls itself an answer to a C-ECHO that nobody has made."""
    peer = archive()
    peer.hold(*study)
    kept = Kept()

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, references_to(study), kept.keep)
        report = association.receive_encoded()
        association._messages.append(report._replace(command_set=b"\0\0\0\1\2\0\0\0\x30\x80"))
        assert await_reports(association, 3600, kept.keep, Event()) == 0

    assert kept == []


def test_another_sop_class_of_the_same_instance_is_told(archive: MakeArchive, study: list[Path]) -> None:
    peer = archive()
    peer.hold(*study)
    kept = Kept()
    asked = [Reference(MRImageStorage, each.sop_instance_uid) for each in references_to(study)]

    with opened(peer) as association:
        request_commitment(association, TRANSACTION_UID, asked, kept.keep)
        await_reports(association, LONG, kept.keep, Event())

    assert [failed.failure_reason for failed in kept[0].failed] == [0x0119] * 3
