"""`manage.py send` against archives that do right and wrong: the verdict, the evidence and the exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.models import Evidence
from tests.commands import destination_for, send, uids_of
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.acts import Abort, Act, Answer, Close, Die, HalfClose, Raw, Reject, Silence
from tests.fakes.fixtures import MakeArchive
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.script import Script
from tests.peers.orthanc import Orthanc
from tests.peers.storescp import Storescp
from transfers.methods.c_store import CStore
from transfers.models import Destination

pytestmark = pytest.mark.django_db

COMMITTED, PARTIAL = (0, "committed"), (3, "partial")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


# Real archives


def test_a_study_sent_to_orthanc_is_committed_and_is_there(orthanc: Orthanc, folder: Path) -> None:
    uids = uids_of(write_study(folder, 7, series=2))

    outcome = send(destination_for(orthanc), folder)

    assert outcome.exit_code == 0
    assert (outcome.transfer["verdict"], outcome.transfer["proof"]) == ("committed", "present")
    assert outcome.transfer["counts"] == {"instances": 7, "confirmed": 7, "refuted": 0, "unproven": 0, "pending": 0}
    assert set(uids) <= orthanc.instances()
    assert outcome.kinds(uids[0]) == ["sent", "acknowledged", "present"]


def test_a_filter_that_answers_success_is_found_out_by_asking(filtering_orthanc: Orthanc, folder: Path) -> None:
    uids = uids_of(write_study(folder, 10))

    outcome = send(destination_for(filtering_orthanc), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    missing = {uid for uid, verdict in outcome.verdicts.items() if verdict == "refuted"}
    assert missing == set(uids) - filtering_orthanc.instances()
    assert len(missing) == 2


def test_a_filter_that_answers_success_is_unverifiable_where_nothing_is_asked(
    filtering_orthanc: Orthanc, folder: Path
) -> None:
    write_study(folder, 10)

    outcome = send(destination_for(filtering_orthanc), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")


def test_a_storescp_that_cannot_be_asked_is_unverifiable(storescp: Storescp, folder: Path) -> None:
    write_study(folder, 3)

    outcome = send(destination_for(storescp), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
    assert "could not be asked" in outcome.transfer["reason"]


def test_a_storescp_that_is_declared_to_store_is_committed_on_its_word(storescp: Storescp, folder: Path) -> None:
    write_study(folder, 3)

    outcome = send(destination_for(storescp, acknowledgement_means_stored=True), folder, "--verify", "none")

    assert (outcome.exit_code, outcome.transfer["verdict"], outcome.transfer["proof"]) == (
        0,
        "committed",
        "acknowledged",
    )


def test_sending_again_what_our_own_ledger_proved_is_committed(orthanc: Orthanc, folder: Path) -> None:
    write_study(folder, 3)
    destination = destination_for(orthanc)
    first = send(destination, folder)

    again = send(destination, folder)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert {each["was_there_before"] for each in again.transfer["instances"]} == {"yes"}
    assert first.transfer["id"] != again.transfer["id"]


def test_other_pixels_under_a_uid_that_is_there_are_never_committed(orthanc: Orthanc, tmp_path: Path) -> None:
    uids = {name: unique_uid() for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid")}
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    write_instance(old, **uids, noise=1)  # type: ignore[arg-type]
    write_instance(new, **uids, noise=2)  # type: ignore[arg-type]
    destination = destination_for(orthanc)
    first = send(destination, old)

    outcome = send(destination, new)

    assert (first.exit_code, outcome.exit_code) == (0, 4)
    assert "with other content at the destination before anything was sent" in outcome.transfer["reason"]


def test_what_may_have_been_there_before_is_sent_again_after_a_crash(archive: MakeArchive, tmp_path: Path) -> None:
    uids = {name: unique_uid() for name in ("study_instance_uid", "series_instance_uid", "sop_instance_uid")}
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    peer = archive(Script(on_find={1: Answer(0xA700)}, without_sop_classes=[STUDY_ROOT_GET]))
    peer.hold(write_instance(old, **uids, noise=1))  # type: ignore[arg-type]
    write_instance(new, **uids, noise=2)  # type: ignore[arg-type]
    destination = destination_for(peer)
    fail_while_sending(destination, new)

    outcome = send(destination, new)

    assert peer.log.requests == [uids["sop_instance_uid"]]
    assert outcome.transfer["state"] == "finished"


def fail_while_sending(destination: Destination, folder: Path) -> None:
    """Break off by an error of ours after preflight, before the first byte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CStore, "send", lambda *_: 1 / 0)
        outcome = send(destination, folder)
    assert (outcome.exit_code, outcome.transfer["state"]) == (1, "failed")


# Answers


@pytest.mark.parametrize(
    ("answer", "kind", "result"),
    [
        (Answer(0xA700, error_comment="disk full"), "refused", PARTIAL),
        (Answer(0xA900), "refused", PARTIAL),
        (Answer(0xC123), "refused", PARTIAL),
        (Answer(0x0122), "refused", PARTIAL),
        (Answer(0xB000), "acknowledged", COMMITTED),
        (Answer(0xB006), "acknowledged", COMMITTED),
        (Answer(0xB007), "acknowledged", COMMITTED),
        (Answer(0x0111), "answer-unclear", PARTIAL),
        (Answer(0x1234), "answer-unclear", PARTIAL),
        (Answer(stores=False), "acknowledged", PARTIAL),
    ],
    ids=lambda value: f"{value.status_code:04X}-{value.keeps_the_instance}" if isinstance(value, Answer) else None,
)
def test_an_answer_becomes_evidence_and_the_list_decides(
    archive: MakeArchive, folder: Path, answer: Answer, kind: str, result: tuple[int, str]
) -> None:
    uids = uids_of(write_study(folder, 4))
    peer = archive(Script(on_store={uids[1]: answer}))

    outcome = send(destination_for(peer), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == result
    assert kind in outcome.kinds(uids[1])
    assert outcome.verdicts[uids[0]] == "confirmed"


def test_the_code_and_the_comment_of_a_refusal_are_kept(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 1)
    peer = archive(Script(on_store=Answer(0xA700, error_comment="disk full")))

    outcome = send(destination_for(peer), folder)

    evidence = outcome.transfer["instances"][0]["evidence"]
    (refused,) = (each["detail"] for each in evidence if each["kind"] == "refused")
    assert (refused["status_code"], refused["error_comment"]) == ("0xA700", "disk full")
    assert "0xA700" in outcome.transfer["reason"]


def test_all_refused_is_nothing_stored(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 3)
    peer = archive(Script(on_store=Answer(0xA700)))

    outcome = send(destination_for(peer), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")


@pytest.mark.parametrize(
    "fault",
    [
        Abort(),
        Close(),
        Close(resets=True),
        HalfClose(),
        Raw(closes=True),
        Answer(message_id=999),
        Answer(sop_instance_uid="2.25.999"),
        Die(returns_after_seconds=0.2),
        Abort(stores=True),
        Close(stores=True),
    ],
    ids=repr,
)
def test_a_fault_that_happens_once_is_overcome_without_sending_anything_acknowledged_twice(
    archive: MakeArchive, folder: Path, fault: Act
) -> None:
    uids = uids_of(write_study(folder, 6))
    peer = archive(Script(on_store={3: fault}))

    outcome = send(destination_for(peer, associations=1), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (0, "committed")
    assert set(peer.stored) == set(uids)
    acknowledged = [uid for uid, status_code in peer.log.answers if status_code == 0]
    repeated_requests = {uid for uid in peer.log.requests if peer.log.requests.count(uid) > 1}
    assert len(repeated_requests) <= 1
    assert peer.log.broken_rules == []
    assert len(acknowledged) >= len(uids) - 1


def test_a_poison_instance_is_set_aside_and_the_rest_goes_on(archive: MakeArchive, folder: Path) -> None:
    uids = uids_of(write_study(folder, 6))
    peer = archive(Script(on_store={uids[2]: Abort()}))

    outcome = send(destination_for(peer, associations=1), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert {uid for uid, verdict in outcome.verdicts.items() if verdict != "confirmed"} == {uids[2]}
    assert "no-answer" in outcome.kinds(uids[2])


def test_an_archive_that_never_answers_is_given_up_in_time(archive: MakeArchive, folder: Path) -> None:
    uids = uids_of(write_study(folder, 2))
    peer = archive(Script(on_store=Silence()))

    outcome = send(destination_for(peer, dimse_timeout_seconds=0.3), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
    assert "no-answer" in outcome.kinds(uids[0])


def test_a_slow_answer_is_waited_for(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 3)
    peer = archive(Script(on_store=Answer(delay_seconds=0.3)))

    outcome = send(destination_for(peer), folder)

    assert outcome.exit_code == 0


# Associations


@pytest.mark.parametrize(
    "reject",
    [Reject(1, 1, 1), Reject(1, 1, 2), Reject(1, 1, 3), Reject(1, 1, 7), Reject(1, 2, 1), Reject(1, 2, 2)],
    ids=repr,
)
def test_a_rejected_association_sends_nothing_and_says_why(archive: MakeArchive, folder: Path, reject: Reject) -> None:
    write_study(folder, 2)
    peer = archive(Script(on_association=reject))

    outcome = send(destination_for(peer), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
    assert outcome.transfer["reason"].startswith(
        "Nothing was sent by this transfer; what was there before could not be asked"
    )
    assert peer.log.requests == []


def test_nobody_there_is_nothing_stored_and_says_what_to_check(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 2)
    peer = archive()
    destination = destination_for(peer)
    peer.die()

    outcome = send(destination, folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
    assert "could not be asked" in outcome.transfer["reason"]


def test_a_sop_class_that_is_not_accepted_stops_the_study_before_the_first_byte(
    archive: MakeArchive, folder: Path
) -> None:
    study = unique_uid()
    write_instance(folder, study_instance_uid=study)
    mr = write_instance(folder, study_instance_uid=study, sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
    peer = archive(Script(without_sop_classes=["1.2.840.10008.5.1.4.1.1.4"]))

    outcome = send(destination_for(peer), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
    assert peer.log.requests == []
    evidence = Evidence.objects.get(instance__sop_instance_uid=uids_of([mr])[0], kind="not-sent")
    assert "MR Image Storage" in evidence.detail["reason"]


def test_send_what_can_goes_on_without_what_cannot_be_sent(archive: MakeArchive, folder: Path) -> None:
    study = unique_uid()
    write_instance(folder, study_instance_uid=study)
    mr = write_instance(folder, study_instance_uid=study, sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
    peer = archive(Script(without_sop_classes=["1.2.840.10008.5.1.4.1.1.4"]))

    outcome = send(destination_for(peer), folder, "--send-what-can")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
    assert outcome.verdicts[uids_of([mr])[0]] == "refuted"


def test_an_archive_that_serves_one_association_at_a_time_is_no_error(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 20)
    peer = archive(Script(associations_at_once=1))

    outcome = send(destination_for(peer, associations=4), folder)

    assert outcome.exit_code == 0
