"""`manage.py send` and `verify` with input that is odd, broken or not to be sent."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from audit.models import Evidence
from tests.commands import destination_for, run, send, uids_of
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.fixtures import MakeArchive
from transfers.models import Transfer

pytestmark = pytest.mark.django_db

COMMITTED, PARTIAL = (0, "committed"), (3, "partial")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def test_a_study_with_conflicting_files_is_not_sent_and_the_other_study_is(archive: MakeArchive, folder: Path) -> None:
    uid, study = unique_uid(), unique_uid()
    write_instance(folder, study_instance_uid=study, sop_instance_uid=uid, noise=1, name="a")
    write_instance(folder, study_instance_uid=study, sop_instance_uid=uid, noise=2, name="b")
    write_instance(folder, study_instance_uid=study, name="c")
    good = write_study(folder, 2)

    outcome = send(destination_for(archive()), folder)

    assert outcome.exit_code == 4
    verdicts = {each["study_instance_uid"]: each["verdict"] for each in outcome.document["transfers"]}
    assert verdicts == {study: "nothing-stored", str(pydicom.dcmread(good[0]).StudyInstanceUID): "committed"}
    assert [each["kind"] for each in outcome.document["skipped"]] == ["conflict"]
    committed = next(each for each in outcome.document["transfers"] if each["verdict"] == "committed")
    assert committed["reason"].endswith("files of the input could not be read and are not part of this")


def test_one_uid_in_two_studies_keeps_both_from_being_sent(archive: MakeArchive, folder: Path) -> None:
    uid, other = unique_uid(), unique_uid()
    write_instance(folder, sop_instance_uid=uid, name="a")
    write_instance(folder, sop_instance_uid=uid, study_instance_uid=other, name="b")
    write_instance(folder, study_instance_uid=other, name="c")
    peer = archive()

    outcome = send(destination_for(peer), folder)

    assert [each["verdict"] for each in outcome.document["transfers"]] == ["nothing-stored", "nothing-stored"]
    assert peer.log.requests == []


def test_a_broken_file_keeps_the_study_from_being_simply_committed(archive: MakeArchive, folder: Path) -> None:
    first, *_ = write_study(folder, 3)
    # Within its file meta group, however long its UIDs are.
    (folder / "broken.dcm").write_bytes(first.read_bytes()[:260])

    outcome = send(destination_for(archive()), folder)

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (6, "committed")
    assert outcome.transfer["reason"].endswith("1 files of the input could not be read and are not part of this")


def test_input_without_a_study_is_wrong_usage(archive: MakeArchive, folder: Path) -> None:
    (folder / "readme.txt").write_text("nothing here")

    outcome = send(destination_for(archive()), folder)

    assert outcome.exit_code == 2
    assert outcome.document["transfers"] == []
    (skipped,) = outcome.document["skipped"]
    assert (skipped["path"], skipped["kind"]) == (str(folder / "readme.txt"), "not-dicom")


def test_a_path_that_is_not_there_is_wrong_usage(archive: MakeArchive, folder: Path) -> None:
    outcome = send(destination_for(archive()), folder / "nowhere")

    assert outcome.exit_code == 2


def test_a_transfer_can_be_asked_about_later(archive: MakeArchive, folder: Path) -> None:
    uids = uids_of(write_study(folder, 3))
    peer = archive()
    sent = send(destination_for(peer), folder, "--verify", "none")

    outcome = run("verify", sent.transfer["id"], "--json")

    assert (sent.exit_code, outcome.exit_code) == (5, 0)
    assert outcome.kinds(uids[0]) == ["sent", "acknowledged", "present"]
    assert outcome.transfer["id"] == sent.transfer["id"]


def test_a_study_that_loses_an_instance_later_is_found_out(archive: MakeArchive, folder: Path) -> None:
    uids = uids_of(write_study(folder, 3))
    peer = archive()
    sent = send(destination_for(peer), folder)
    del peer.stored[uids[1]]

    outcome = run("verify", sent.transfer["id"], "--json")

    assert (sent.exit_code, outcome.exit_code) == (0, 3)
    assert outcome.verdicts[uids[1]] == "refuted"


def test_files_can_be_asked_about_without_sending_them(archive: MakeArchive, folder: Path) -> None:
    paths = write_study(folder, 3)
    peer = archive()
    peer.hold(*paths)
    destination = destination_for(peer)

    outcome = run("verify", folder, "--to", destination.name, "--json")

    assert (outcome.exit_code, outcome.transfer["method"]) == (0, None)
    assert peer.log.requests == []
    assert Evidence.objects.exclude(kind="present").count() == 0
    assert Transfer.objects.get().state == "finished"


def test_files_that_are_not_there_are_refuted(archive: MakeArchive, folder: Path) -> None:
    write_study(folder, 2)
    destination = destination_for(archive())

    outcome = run("verify", folder, "--to", destination.name, "--json")

    assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
