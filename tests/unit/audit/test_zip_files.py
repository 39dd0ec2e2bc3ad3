"""Members of ZIP files are read as files are, within limits, and never written anywhere."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from audit.confinement import Confinement, LeadsOut
from audit.entries import InputManifest, Skipped, SkippedKind
from audit.limits import InputLimits
from audit.manifest import read_input
from audit.zip_files import ZipFiles
from tests.datasets import write_instance, write_study
from tests.unit.audit.encoded import EXPLICIT, WHOLE_DATA_SETS, part10

KINDS_OF_DATA_SETS = pytest.mark.parametrize("transfer_syntax_uid", WHOLE_DATA_SETS, ids=lambda uid: uid.keyword)


def write_zip(path: Path, members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def zip_of(path: Path, files: Iterable[Path]) -> Path:
    return write_zip(path, ((file.name, file.read_bytes()) for file in files))


def only_skipped(manifest: InputManifest) -> Skipped:
    (skipped,) = manifest.skipped
    return skipped


def test_a_zip_file_holds_the_same_instances_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    files = write_study(tmp_path / "folder", 4, series=2)
    packed = zip_of(tmp_path / "study.zip", files)

    (from_folder,) = read_input([tmp_path / "folder"]).studies
    (from_zip,) = read_input([packed]).studies

    assert [entry.sop_instance_uid for entry in from_zip.entries] == [
        entry.sop_instance_uid for entry in from_folder.entries
    ]
    assert [entry.data_set_size for entry in from_zip.entries] == [entry.data_set_size for entry in from_folder.entries]
    assert [(entry.path, entry.member) for entry in from_zip.entries] == [(str(packed), file.name) for file in files]
    assert {entry.file_size for entry in from_zip.entries} == {packed.stat().st_size}
    assert {entry.modified_ns for entry in from_zip.entries} == {packed.stat().st_mtime_ns}


@KINDS_OF_DATA_SETS
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_member_is_told_whole_or_cut_as_a_file_is(tmp_path: Path, transfer_syntax_uid: UID, method: int) -> None:
    content = part10(WHOLE_DATA_SETS[transfer_syntax_uid], transfer_syntax_uid)
    packed = write_zip(tmp_path / "a.zip", [("cut", content[:-1]), ("whole", content)], method)

    manifest = read_input([packed])

    assert [entry.member for study in manifest.studies for entry in study.entries] == ["whole"]
    assert (only_skipped(manifest).path, only_skipped(manifest).kind) == (f"{packed}/cut", SkippedKind.BROKEN)


def test_a_zip_file_is_known_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    files = write_study(tmp_path, 1)
    zip_of(tmp_path / "export", files)
    files[0].unlink()

    assert len(read_input([tmp_path]).studies) == 1


def test_a_member_that_lies_beside_the_zip_file_too_is_a_duplicate(tmp_path: Path) -> None:
    file = write_instance(tmp_path, name="a")
    zip_of(tmp_path / "b.zip", [file])

    manifest = read_input([tmp_path])

    assert only_skipped(manifest) == Skipped(
        f"{tmp_path}/b.zip/a", SkippedKind.DUPLICATE, f"the same data set as {file}"
    )


def test_other_content_in_a_zip_file_is_a_conflict(tmp_path: Path) -> None:
    write = partial(write_instance, tmp_path, study_instance_uid="2.25.1", sop_instance_uid="2.25.3", name="a")
    packed = zip_of(tmp_path / "b.zip", [write(noise=1)])
    write(noise=2)

    manifest = read_input([tmp_path])

    assert (only_skipped(manifest).path, only_skipped(manifest).kind) == (f"{packed}/a", SkippedKind.CONFLICT)
    assert manifest.studies[0].conflicts == {"2.25.3"}


def test_a_damaged_member_cannot_be_compared_and_is_a_conflict(tmp_path: Path) -> None:
    file = write_instance(tmp_path, name="a")
    packed = write_zip(tmp_path / "b.zip", [("a", file.read_bytes())], zipfile.ZIP_STORED)
    content = bytearray(packed.read_bytes())
    content[5000] ^= 1
    packed.write_bytes(content)

    manifest = read_input([tmp_path])

    assert only_skipped(manifest).kind is SkippedKind.CONFLICT
    assert "Bad CRC-32" in only_skipped(manifest).reason


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "C:\\evil", "a/../../evil"])
def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_zip(folder / "a.zip", [(name, part10(EXPLICIT.image()))])

    (study,) = read_input([folder]).studies

    assert study.entries[0].member.endswith("evil")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "a.zip"]


def test_no_name_of_a_member_can_command_a_terminal(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "a.zip", [("\x1b[2J\n", b"no DICOM file")])

    assert only_skipped(read_input([packed])).path == f"{packed}/\\x1b[2J\\n"


def test_folders_and_links_in_a_zip_file_are_no_instances(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("folder")
        archive.writestr(link, "/etc/passwd")

    assert only_skipped(read_input([tmp_path])) == Skipped(
        f"{tmp_path}/a.zip/link", SkippedKind.NOT_DICOM, "not a DICOM file"
    )


def test_a_zip_file_inside_a_zip_file_is_not_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a", part10(EXPLICIT.image()))
    packed = write_zip(tmp_path / "a.zip", [("inner.zip", inner.getvalue())])

    assert only_skipped(read_input([packed])) == Skipped(
        f"{packed}/inner.zip", SkippedKind.NOT_DICOM, "a ZIP file inside a ZIP file is not opened"
    )


def test_an_empty_zip_file_is_no_dicom_file(tmp_path: Path) -> None:
    assert only_skipped(read_input([write_zip(tmp_path / "a.zip", [])])).kind is SkippedKind.NOT_DICOM


@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_a_cut_zip_file_is_broken(tmp_path: Path, kept: float) -> None:
    packed = zip_of(tmp_path / "a.zip", write_study(tmp_path, 2))
    os.truncate(packed, int(packed.stat().st_size * kept))

    skipped = only_skipped(read_input([packed]))

    assert skipped == Skipped(str(packed), SkippedKind.BROKEN, "the ZIP file cannot be read: File is not a zip file")


def test_a_member_whose_bytes_are_damaged_is_broken_and_the_others_are_not(tmp_path: Path) -> None:
    files = write_study(tmp_path, 2)
    packed = zip_of(tmp_path / "a.zip", files)
    content = bytearray(packed.read_bytes())
    content[60:90] = bytes(30)
    packed.write_bytes(content)

    manifest = read_input([packed])

    assert only_skipped(manifest).kind is SkippedKind.BROKEN
    assert only_skipped(manifest).path == f"{packed}/{files[0].name}"
    assert [entry.member for entry in manifest.studies[0].entries] == [files[1].name]


def test_an_encrypted_member_is_broken(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "a.zip", [("a", part10(EXPLICIT.image()))])
    content = bytearray(packed.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    packed.write_bytes(content)

    assert only_skipped(read_input([packed])) == Skipped(
        f"{packed}/a", SkippedKind.BROKEN, "it is encrypted; unpack the ZIP file first"
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_inflates_without_bounds_is_not_read(tmp_path: Path, method: int) -> None:
    packed = write_zip(tmp_path / "a.zip", [("a", part10(EXPLICIT.image()))], method)

    skipped = only_skipped(read_input([packed]))

    assert skipped.kind is SkippedKind.BROKEN
    assert skipped.reason == f"it is compressed by method {method}, which is not read; unpack the ZIP file first"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_hidden_by_another_of_the_same_name_is_not_lost_silently(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "a.zip", [("a", part10(EXPLICIT.image())), ("a", part10(EXPLICIT.image()))])

    manifest = read_input([packed])

    assert len(manifest.studies[0].entries) == 1
    assert only_skipped(manifest) == Skipped(
        f"{packed}/a", SkippedKind.BROKEN, "a later member of the ZIP file has the same name"
    )


def instances(count: int) -> list[tuple[str, bytes]]:
    return [(f"{number}", part10(EXPLICIT.identity(sop_instance_uid=f"1.2.{number}"))) for number in range(count)]


def test_members_beyond_the_limit_are_each_named(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "a.zip", instances(5))

    manifest = read_input([packed], InputLimits(max_members=3))

    assert len(manifest.studies[0].entries) == 3
    assert [skipped.path for skipped in manifest.skipped] == [f"{packed}/3", f"{packed}/4"]
    assert manifest.skipped[0].reason == "the ZIP file has more members than the limit of 3 (max_members)"
    assert manifest.left_out == 2


def test_far_too_many_members_are_told_before_they_are_listed(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "a.zip", instances(50))

    skipped = only_skipped(read_input([packed], InputLimits(max_members=5)))

    assert (skipped.path, skipped.kind) == (str(packed), SkippedKind.BROKEN)
    assert skipped.reason.endswith("it has more members than the limit of 5 (max_members)")


def test_the_directory_of_a_zip64_file_is_measured_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
    packed = write_zip(tmp_path / "a.zip", instances(50))
    assert b"PK\x06\x06" in packed.read_bytes()

    assert len(read_input([packed]).studies[0].entries) == 50
    assert only_skipped(read_input([packed], InputLimits(max_members=5))).kind is SkippedKind.BROKEN


def test_members_beyond_the_total_size_are_each_named(tmp_path: Path) -> None:
    one = write_zip(tmp_path / "1.zip", instances(3))
    other = write_zip(tmp_path / "2.zip", [("9", part10(EXPLICIT.identity(sop_instance_uid="1.2.9")))])
    size = len(instances(1)[0][1])

    manifest = read_input([one, other], InputLimits(max_total_bytes=2 * size))

    assert [skipped.path for skipped in manifest.skipped] == [f"{one}/2", f"{other}/9"]
    assert {skipped.reason for skipped in manifest.skipped} == {
        f"the ZIP files unpack to more than the limit of {2 * size} bytes (max_total_bytes)"
    }


def test_a_large_member_that_was_packed_too_well_is_not_unpacked(tmp_path: Path) -> None:
    bomb = part10(EXPLICIT.image(pixels=bytes(2_000_000)))
    packed = write_zip(tmp_path / "a.zip", [("bomb", bomb), ("small", part10(EXPLICIT.image(pixels=bytes(2000))))])

    limits = InputLimits(max_ratio=100, ratio_counts_from_bytes=1_000_000)
    manifest = read_input([packed], limits)

    assert [entry.member for entry in manifest.studies[0].entries] == ["small"]
    assert only_skipped(manifest).reason == "it unpacks to more than 100 times its size, the limit (max_ratio)"


def test_a_member_that_unpacks_to_more_than_it_declares_is_read_no_further(tmp_path: Path) -> None:
    content = part10(EXPLICIT.image(pixels=bytes(5_000_000)))
    packed = write_zip(tmp_path / "a.zip", [("a", content)])
    lie = bytearray(packed.read_bytes())
    directory = lie.index(b"PK\x01\x02")
    lie[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    packed.write_bytes(lie)

    assert only_skipped(read_input([packed])).kind is SkippedKind.BROKEN


def test_a_deflated_data_set_in_a_zip_file_inflates_up_to_the_limit_only(tmp_path: Path) -> None:
    content = part10(WHOLE_DATA_SETS[DeflatedExplicitVRLittleEndian], DeflatedExplicitVRLittleEndian)
    packed = write_zip(tmp_path / "a.zip", [("a", content)])

    skipped = only_skipped(read_input([packed], InputLimits(max_inflated_bytes=100)))

    assert skipped.reason == "its deflated data set inflates to more than the limit of 100 bytes"


def test_nothing_is_written_and_no_file_is_left_open(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", write_study(tmp_path, 3))
    write_zip(tmp_path / "b.zip", [("a", b"no DICOM file")])
    shutil.copy(tmp_path / "a.zip", tmp_path / "c.zip")
    before, descriptors = sorted(tmp_path.rglob("*")), len(os.listdir("/proc/self/fd"))

    read_input([tmp_path])

    assert sorted(tmp_path.rglob("*")) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_zip_file_that_leads_out_of_the_folder_that_may_be_read_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "import").mkdir()
    zip_of(tmp_path / "a.zip", write_study(tmp_path, 1))
    (tmp_path / "import" / "link.zip").symlink_to(tmp_path / "a.zip")

    with pytest.raises(LeadsOut):
        ZipFiles(confinement=Confinement(tmp_path / "import")).get(str(tmp_path / "import" / "link.zip"))


def test_a_zip_file_within_the_folder_that_may_be_read_is_read_as_ever(tmp_path: Path) -> None:
    packed = zip_of(tmp_path / "a.zip", write_study(tmp_path, 3))

    assert read_input([packed], within=tmp_path) == read_input([packed])
