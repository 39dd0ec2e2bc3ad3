"""The demo archive keeps what it gets byte for byte, says what it has, and never overwrites."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    MRImageStorage,
)
from pynetdicom import AE

from tests.datasets import data_set_bytes, unique_uid, write_instance, write_study
from tests.fakes import command_sets as wire
from tests.fakes.fixtures import Request
from tests.fakes.requestor import Requestor
from tests.peers.programs import program
from transfers import demo_store
from transfers.demo_archive import STUDY_ROOT_FIND, DemoArchive

Associated = Callable[..., Requestor]
SendStudy = Callable[..., list[Dataset]]

TRANSFER_SYNTAXES = [
    pytest.param(ExplicitVRLittleEndian, id="explicit"),
    pytest.param(ImplicitVRLittleEndian, id="implicit"),
    pytest.param(ExplicitVRBigEndian, id="big"),
    pytest.param(DeflatedExplicitVRLittleEndian, id="deflated"),
    pytest.param(JPEG2000Lossless, id="jpeg2000"),
]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[DemoArchive]:
    with DemoArchive(tmp_path / "archive") as started:
        yield started


@pytest.fixture
def associated(archive: DemoArchive, request_of: Request) -> Associated:
    """An association with the archive, for these SOP classes (CT) in this transfer syntax."""

    def associated(*sop_class_uids: str, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Requestor:
        requestor = request_of(archive, *sop_class_uids, transfer_syntax_uid=transfer_syntax_uid)
        requestor.associate()
        return requestor

    return associated


@pytest.fixture
def send_study(associated: Associated, tmp_path: Path) -> SendStudy:
    """Store a new study in the archive; its data sets."""

    def send(*, instances: int, series: int = 1) -> list[Dataset]:
        requestor = associated()
        paths = write_study(tmp_path, instances=instances, series=series, size_bytes=64)
        data_sets: list[Dataset] = [dcmread(path) for path in paths]
        for path, data_set in zip(paths, data_sets, strict=True):
            assert requestor.store(path, data_set.SOPInstanceUID) == 0x0000
        return data_sets

    return send


def stored_files(archive: DemoArchive) -> list[Path]:
    return [path for path in archive.store.folder.rglob("*") if path.is_file()]


def find(archive: DemoArchive, level: str, **keys: str | list[str]) -> tuple[list[Dataset], int]:
    """The rows and the final status code."""
    entity = AE()
    entity.add_requested_context(STUDY_ROOT_FIND)
    association = entity.associate(archive.host, archive.port)
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    answers = list(association.send_c_find(identifier, STUDY_ROOT_FIND))
    association.release()
    return [row for _, row in answers if row is not None], int(answers[-1][0].Status)


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program(name, package="dcmtk"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)


def test_echoscu_is_answered(archive: DemoArchive) -> None:
    assert run("echoscu", archive.host, str(archive.port)).returncode == 0


@pytest.mark.parametrize("transfer_syntax_uid", TRANSFER_SYNTAXES)
def test_an_instance_is_stored_byte_for_byte(
    archive: DemoArchive, tmp_path: Path, transfer_syntax_uid: str, associated: Associated
) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1", transfer_syntax_uid=transfer_syntax_uid)

    status_code = associated(transfer_syntax_uid=transfer_syntax_uid).store(path, "2.25.1")

    (stored,) = stored_files(archive)
    assert status_code == 0x0000
    assert data_set_bytes(stored) == data_set_bytes(path)
    assert dcmread(stored).file_meta.TransferSyntaxUID == transfer_syntax_uid


def test_dcmsend_stores_a_study_and_findscu_lists_it(archive: DemoArchive, tmp_path: Path) -> None:
    paths = write_study(tmp_path, instances=5, series=2)
    uids = {str(dcmread(path).SOPInstanceUID) for path in paths}
    address = (archive.host, str(archive.port))
    study = f"StudyInstanceUID={dcmread(paths[0]).StudyInstanceUID}"

    run("dcmsend", *address, *paths)
    keys = ("-k", "QueryRetrieveLevel=IMAGE", "-k", study, "-k", "SOPInstanceUID")
    found = run("findscu", "-v", "-S", *address, *keys)

    listed = re.findall(r"\(0008,0018\) UI \[([0-9.]+)", found.stdout + found.stderr)
    assert set(listed) == uids
    assert len(stored_files(archive)) == 5


@pytest.mark.parametrize("sop_class_uid", [MRImageStorage, EncapsulatedPDFStorage], ids=["mr", "pdf"])
def test_any_storage_sop_class_is_taken(tmp_path: Path, sop_class_uid: str, associated: Associated) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1", sop_class_uid=sop_class_uid)

    assert associated(sop_class_uid).store(path, "2.25.1") == 0x0000


def test_the_same_again_is_a_success_and_something_else_under_its_uid_is_refused(
    archive: DemoArchive, tmp_path: Path, associated: Associated
) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1", noise=1, name="first")
    other = write_instance(tmp_path, sop_instance_uid="2.25.1", noise=2, name="other")
    requestor = associated()

    answers = [requestor.answer_to_store(each, "2.25.1") for each in (path, path, other, path)]

    assert [answer.number(wire.STATUS) for answer in answers] == [0x0000, 0x0000, 0x0111, 0x0000]
    assert answers[2].text(wire.ERROR_COMMENT) == "Other content is stored under this SOP Instance UID"
    assert [data_set_bytes(stored) for stored in stored_files(archive)] == [data_set_bytes(path)]


def test_another_transfer_syntax_under_a_known_uid_is_refused(tmp_path: Path, associated: Associated) -> None:
    explicit = write_instance(tmp_path, sop_instance_uid="2.25.1", name="explicit")
    associated().store(explicit, "2.25.1")

    assert associated(transfer_syntax_uid=JPEG2000Lossless).store(explicit, "2.25.1") == 0x0111


def test_a_full_disk_is_out_of_resources_and_leaves_nothing_behind(
    archive: DemoArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, associated: Associated
) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    answer = associated().answer_to_store(path, "2.25.1")

    assert answer.number(wire.STATUS) == 0xA700
    assert answer.text(wire.ERROR_COMMENT) == "No space left on device"
    assert stored_files(archive) == []
    assert find(archive, "IMAGE", SOPInstanceUID="2.25.1") == ([], 0x0000)


def test_what_does_not_fit_its_announcement_is_refused(
    archive: DemoArchive, tmp_path: Path, associated: Associated
) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.1")
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(path.read_bytes()[: -len(data_set_bytes(path))] + b"\xff" * 512)

    assert associated().store(path, "2.25.2") == 0xC000
    assert associated(MRImageStorage).store(path, "2.25.1") == 0xA900
    assert associated().store(rubbish, "2.25.1") == 0xC000
    assert stored_files(archive) == []


@pytest.mark.parametrize("uid", ["../../escaped", "/etc/passwd", "..", "1.2.3/../../4", "1..2", "1" * 65, "ü"])
def test_no_uid_leads_out_of_the_folder(uid: str) -> None:
    name = demo_store.file_name(uid)

    assert re.fullmatch(r"uid-[0-9a-f]{64}", name)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_an_instance_with_a_malicious_uid_is_stored_within_the_folder(
    archive: DemoArchive, tmp_path: Path, associated: Associated
) -> None:
    uid = "../../../../escaped"
    path = write_instance(
        tmp_path, study_instance_uid=uid, series_instance_uid=uid, sop_instance_uid=uid, name="malicious"
    )

    assert associated().store(path, uid) == 0x0000
    assert len(stored_files(archive)) == 1
    assert not list(tmp_path.parent.rglob("escaped*"))


def test_each_level_is_listed_with_its_counts(archive: DemoArchive, send_study: SendStudy) -> None:
    data_sets = send_study(instances=5, series=2)
    study, series = data_sets[0].StudyInstanceUID, data_sets[0].SeriesInstanceUID

    studies, _ = find(archive, "STUDY", StudyInstanceUID=study, NumberOfStudyRelatedInstances="", PatientID="")
    of_study, _ = find(
        archive, "SERIES", StudyInstanceUID=study, SeriesInstanceUID="", NumberOfSeriesRelatedInstances=""
    )
    images, code = find(archive, "IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="")

    assert [(row.NumberOfStudyRelatedInstances, row.PatientID) for row in studies] == [(5, "TEST")]
    assert [row.NumberOfSeriesRelatedInstances for row in of_study] == [3, 2]
    assert [row.SOPInstanceUID for row in images] == [each.SOPInstanceUID for each in data_sets[::2]]
    assert code == 0x0000


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_instances_are_found_by_name_and_by_list(archive: DemoArchive, send_study: SendStudy) -> None:
    data_sets = send_study(instances=3)
    uids = [str(each.SOPInstanceUID) for each in data_sets]

    one, _ = find(archive, "IMAGE", SOPInstanceUID=uids[1])
    some, _ = find(archive, "IMAGE", SOPInstanceUID=[uids[0], unique_uid(), uids[2]])
    none, _ = find(archive, "IMAGE", SOPInstanceUID=uids[1][:-3] + "*")

    assert [row.SOPInstanceUID for row in one] == [uids[1]]
    assert [row.SOPInstanceUID for row in some] == [uids[0], uids[2]]
    assert none == []


def test_studies_are_found_by_name_and_date(archive: DemoArchive, send_study: SendStudy) -> None:
    send_study(instances=1)

    def count(**keys: str) -> int:
        return len(find(archive, "STUDY", StudyInstanceUID="", **keys)[0])

    assert [count(PatientName=name) for name in ("test*", "T?ST^Phantom", "TEST", "")] == [1, 1, 0, 1]
    assert [count(StudyDate=date) for date in ("20260101-20260131", "20260106-", "-20260105")] == [1, 0, 1]


def test_an_unknown_level_is_refused(archive: DemoArchive) -> None:
    assert find(archive, "PATIENT", PatientID="") == ([], 0xA900)


def test_it_knows_after_a_restart_what_it_stored(archive: DemoArchive, send_study: SendStudy) -> None:
    data_sets = send_study(instances=3)
    (archive.store.folder / "rubbish.dcm").write_bytes(b"no DICOM")
    (archive.store.folder / "incoming" / "half.part").write_bytes(b"half")
    archive.stop()

    with DemoArchive(archive.store.folder) as again:
        rows, _ = find(again, "IMAGE", SOPInstanceUID="")

    assert {row.SOPInstanceUID for row in rows} == {each.SOPInstanceUID for each in data_sets}
    assert list((archive.store.folder / "incoming").iterdir()) == []
