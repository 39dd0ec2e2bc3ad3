"""Whole transfers that compare contents, or remove again what they brought, at real Orthancs and scripted archives."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.utils import timezone

from tests.commands import destination_for, run, send, uids_of
from tests.datasets import unique_uid, write_instance, write_study
from tests.fakes.fixtures import MakeArchive
from tests.fakes.getting import STUDY_ROOT_GET
from tests.fakes.script import Script
from tests.peers.orthanc import Orthanc
from tests.peers.storescp import Storescp
from transfers.changes import look_after_the_end
from transfers.models import Destination, Transfer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that reads its disk each time it is asked, and says soon that a study is stable."""
    settings = {"MaximumStorageCacheSize": 0, "StableAge": 1}
    with Orthanc(tmp_path_factory.mktemp("keeper"), ae_title="KEEPER", dicom_web=True, settings=settings) as peer:
        yield peer


@pytest.fixture
def old_and_new(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with one study of three; the second instance has other pixels in the second folder."""
    study, series = unique_uid(), unique_uid()
    uids = [unique_uid() for _ in range(3)]
    folders = tmp_path / "old", tmp_path / "new"
    for version, folder in enumerate(folders):
        folder.mkdir()
        for number, uid in enumerate(uids):
            noise = 10 * version + number if number == 1 else number
            write_instance(
                folder, study_instance_uid=study, series_instance_uid=series, sop_instance_uid=uid, noise=noise
            )
    return folders


def rest_side(peer: Orthanc, **fields: Any) -> Destination:
    return Destination.objects.create(
        name=f"rest-{peer.http_port}", kind="orthanc", url=peer.url, presence_settle_seconds=0.3, **fields
    )


class TestWhatWasThereBefore:
    def test_the_same_content_is_confirmed_and_not_sent_again(self, orthanc: Orthanc, folder: Path) -> None:
        write_study(folder, 5, series=2)
        destination = destination_for(orthanc)
        send(destination, folder)

        again = send(destination, folder)

        assert (again.exit_code, again.transfer["proof"]) == (0, "identical")
        assert {each["was_there_before"] for each in again.transfer["instances"]} == {"yes"}
        assert "acknowledged" not in set(again.kind_counts)
        assert not Transfer.objects.latest("id").attempts.exists()

    def test_other_content_stops_the_transfer_before_the_first_byte(
        self, orthanc: Orthanc, old_and_new: tuple[Path, Path]
    ) -> None:
        old, new = old_and_new
        destination = destination_for(orthanc)
        write_instance_beside(new)
        send(destination, old)

        outcome = send(destination, new)

        (conflicting,) = [uid for uid in outcome.verdicts if "conflict" in outcome.kinds(uid)]
        assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
        assert outcome.verdicts[conflicting] == "refuted"
        assert not Transfer.objects.latest("id").attempts.exists()
        assert "with other content at the destination before anything was sent" in outcome.transfer["reason"]

    def test_told_so_it_goes_on_with_the_others(self, orthanc: Orthanc, old_and_new: tuple[Path, Path]) -> None:
        old, new = old_and_new
        destination = destination_for(orthanc)
        added = write_instance_beside(new)
        send(destination, old)

        outcome = send(destination, new, "--send-what-can")

        assert outcome.verdicts[added] == "confirmed"
        assert sorted(outcome.verdicts.values()) == ["confirmed", "confirmed", "confirmed", "refuted"]

    def test_what_cannot_be_read_stays_unproven(self, archive: MakeArchive, folder: Path) -> None:
        peer = archive(Script(without_sop_classes=[STUDY_ROOT_GET]))
        for path in write_study(folder, 2):
            peer.hold(path)

        outcome = send(destination_for(peer), folder)

        assert (outcome.exit_code, outcome.transfer["verdict"]) == (5, "unverifiable")
        assert "was not compared" in outcome.transfer["reason"]
        assert "acknowledged" in set(outcome.kind_counts)

    def test_another_side_of_the_archive_reads_what_this_one_does_not(self, orthanc: Orthanc, folder: Path) -> None:
        write_study(folder, 3)
        destination = destination_for(orthanc)
        destination.ask_at.set([rest_side(orthanc)])
        send(destination, folder)

        again = send(destination, folder)

        assert (again.exit_code, again.transfer["proof"]) == (0, "identical")
        readers = {each["detail"].get("reader") for i in again.transfer["instances"] for each in i["evidence"]}
        assert "orthanc" in readers

    def test_nothing_is_compared_where_nothing_is_asked(self, orthanc: Orthanc, folder: Path) -> None:
        write_study(folder, 2)
        destination = destination_for(orthanc)
        send(destination, folder)

        again = send(destination, folder, "--verify", "none")

        assert again.transfer["verdict"] == "unverifiable"


def write_instance_beside(folder: Path) -> str:
    """One more instance of the same study."""
    some = pydicom.dcmread(next(folder.iterdir()))
    path = write_instance(
        folder, study_instance_uid=str(some.StudyInstanceUID), series_instance_uid=str(some.SeriesInstanceUID)
    )
    return uids_of([path])[0]


class TestContent:
    @pytest.mark.parametrize("with_rest", [False, True], ids=["c-get", "orthanc"])
    def test_everything_is_read_back_and_compared(self, orthanc: Orthanc, folder: Path, *, with_rest: bool) -> None:
        write_study(folder, 6, series=2)
        destination = destination_for(orthanc)
        if with_rest:
            destination.ask_at.set([rest_side(orthanc)])

        outcome = send(destination, folder, "--verify", "content")

        assert (outcome.exit_code, outcome.transfer["proof"]) == (0, "identical")
        assert {"present", "identical"} <= set(outcome.kind_counts)

    def test_of_a_sample_it_is_said_how_much_was_compared(self, orthanc: Orthanc, folder: Path) -> None:
        write_study(folder, 10)

        outcome = send(destination_for(orthanc), folder, "--verify", "content:30%")

        compared = [uid for uid in outcome.verdicts if "identical" in outcome.kinds(uid)]
        assert (outcome.exit_code, outcome.transfer["proof"], len(compared)) == (0, "present", 3)
        assert "The contents of 3 of 10 instances were compared" in outcome.transfer["reason"]

    def test_what_is_gone_from_the_disk_is_listed_but_not_proved(self, keeper: Orthanc, folder: Path) -> None:
        uids = uids_of(write_study(folder, 4))
        destination = destination_for(keeper)
        sent = send(destination, folder)
        remove_file_of(keeper, uids[2])

        listed = run("verify", sent.transfer["id"], "--json")
        read = run("verify", sent.transfer["id"], "--verify", "content", "--json")

        assert (listed.exit_code, read.exit_code, read.transfer["verdict"]) == (0, 5, "unverifiable")
        assert read.verdicts == {uid: "unproven" if uid == uids[2] else "confirmed" for uid in uids}
        assert "did not hand" in read.transfer["reason"]

    def test_changed_pixels_are_found(self, keeper: Orthanc, folder: Path) -> None:
        uids = uids_of(write_study(folder, 3))
        sent = send(destination_for(keeper), folder)
        change_file_of(keeper, uids[0])

        read = run("verify", sent.transfer["id"], "--verify", "content", "--json")

        assert (read.exit_code, read.transfer["verdict"]) == (3, "partial")
        assert read.verdicts[uids[0]] == "refuted"


class TestInquiries:
    @pytest.mark.parametrize("kind", ["orthanc", "dicomweb"])
    def test_files_can_be_checked_over_http(self, web_orthanc: Orthanc, folder: Path, kind: str) -> None:
        write_study(folder, 3)
        send(destination_for(web_orthanc), folder)
        url = web_orthanc.url if kind == "orthanc" else web_orthanc.dicom_web_url
        side = Destination.objects.create(name="side", kind=kind, url=url, presence_settle_seconds=0.3)

        outcome = run("verify", folder, "--to", side.name, "--verify", "content", "--json")

        assert (outcome.exit_code, outcome.transfer["method"], outcome.transfer["proof"]) == (0, None, "identical")

    def test_the_manifest_of_a_transfer_can_be_checked_elsewhere(
        self, orthanc: Orthanc, web_orthanc: Orthanc, folder: Path
    ) -> None:
        write_study(folder, 3)
        sent = send(destination_for(orthanc), folder)
        elsewhere = destination_for(web_orthanc)
        shutil.rmtree(folder)

        before = run("verify", sent.transfer["id"], "--to", elsewhere.name, "--json")

        assert (before.exit_code, before.transfer["verdict"]) == (4, "nothing-stored")
        assert before.transfer["id"] != sent.transfer["id"]

    def test_a_later_verification_leaves_the_audit_before_as_it_was(self, orthanc: Orthanc, folder: Path) -> None:
        (path, *_) = write_study(folder, 2)
        sent = send(destination_for(orthanc), folder)
        delete(orthanc, uids_of([path])[0])

        again = run("verify", sent.transfer["id"], "--json")

        audit = Transfer.objects.get().audit
        assert (sent.transfer["verdict"], again.transfer["verdict"]) == ("committed", "partial")
        assert audit.continues is not None
        assert (audit.continues.verdict, audit.verdict) == ("committed", "partial")
        assert "It was committed when it was asked about" in again.transfer["reason"]


class TestRollback:
    def test_it_is_refused_beforehand_where_nothing_can_be_removed(self, storescp: Storescp, folder: Path) -> None:
        write_study(folder, 1)

        outcome = send(destination_for(storescp), folder, "--rollback")

        assert outcome.exit_code == 2
        assert "offers no way to remove instances" in outcome.output
        assert not Transfer.objects.exists()

    def test_what_a_filter_left_of_a_study_is_removed_again(self, filtering_orthanc: Orthanc, folder: Path) -> None:
        uids = uids_of(write_study(folder, 6))
        destination = destination_for(filtering_orthanc)
        destination.ask_at.set([rest_side(filtering_orthanc)])

        outcome = send(destination, folder, "--rollback")

        assert (outcome.exit_code, outcome.transfer["verdict"]) == (4, "nothing-stored")
        assert not set(uids) & filtering_orthanc.instances()

    def test_what_was_there_before_is_never_removed(self, filtering_orthanc: Orthanc, folder: Path) -> None:
        paths = write_study(folder, 6)
        destination = destination_for(filtering_orthanc)
        destination.ask_at.set([rest_side(filtering_orthanc)])
        before = uids_of(paths[:2])
        for path in paths[:2]:
            run("send", path, "--to", destination.name)

        outcome = send(destination, folder, "--rollback")

        assert (outcome.exit_code, outcome.transfer["verdict"]) == (3, "partial")
        assert set(uids_of(paths)) & filtering_orthanc.instances() == set(before)

    def test_a_study_that_is_complete_stays(self, orthanc: Orthanc, folder: Path) -> None:
        write_study(folder, 3)
        destination = destination_for(orthanc)
        destination.ask_at.set([rest_side(orthanc)])

        outcome = send(destination, folder, "--rollback")

        assert (outcome.exit_code, outcome.transfer["verdict"]) == (0, "committed")


class TestChanges:
    def test_a_stable_study_event_that_fires_too_early_is_seen(self, keeper: Orthanc, folder: Path) -> None:
        write_study(folder, 3)
        destination = destination_for(keeper)
        destination.ask_at.set([rest_side(keeper)])
        send(destination, folder)
        transfer = Transfer.objects.get()

        deadline = time.monotonic() + 30
        while not (fired := transfer.events.filter(name="stable_study_fired").first()):
            assert time.monotonic() < deadline
            look_after_the_end(timezone.now())
            time.sleep(0.2)

        assert fired.detail == {"stored": 3, "of": 3, "complete": True}


def orthanc_id(peer: Orthanc, uid: str) -> str:
    (found,) = peer.rest("/tools/find", body={"Level": "Instance", "Query": {"SOPInstanceUID": uid}})
    return str(found)


def delete(peer: Orthanc, uid: str) -> None:
    peer.rest(f"/instances/{orthanc_id(peer, uid)}", method="DELETE")


def file_of(peer: Orthanc, uid: str) -> Path:
    attachment = peer.rest(f"/instances/{orthanc_id(peer, uid)}/attachments/dicom/info")["Uuid"]
    (path,) = peer.folder.rglob(attachment)
    return path


def remove_file_of(peer: Orthanc, uid: str) -> None:
    file_of(peer, uid).unlink()


def change_file_of(peer: Orthanc, uid: str) -> None:
    """One bit of the last pixel."""
    path = file_of(peer, uid)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
