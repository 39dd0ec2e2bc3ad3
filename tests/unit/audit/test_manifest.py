"""An input becomes its studies, and everything of it that is in none of them is named."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from audit.entries import InputManifest, SkippedKind, StudyDescription
from audit.manifest import InputUnreadable, read_input
from tests.datasets import data_set_bytes, unique_uid, write_instance, write_study
from tests.unit.audit.encoded import EXPLICIT, part10

write_same_uids = partial(
    write_instance, study_instance_uid="2.25.1", series_instance_uid="2.25.2", sop_instance_uid="2.25.3"
)
SHARED_DATA = Path(__file__).parents[4] / "shared" / "data"


def kinds(manifest: InputManifest) -> dict[str, str]:
    """File name → kind of what was skipped."""
    return {Path(skipped.path).name: skipped.kind.value for skipped in manifest.skipped}


def reason(manifest: InputManifest) -> str:
    (skipped,) = manifest.skipped
    return skipped.reason


def names(manifest: InputManifest) -> list[list[str]]:
    """The names of the files of each study."""
    return [[Path(entry.path).name for entry in study.entries] for study in manifest.studies]


def test_each_study_of_a_folder_is_a_manifest_of_its_own(tmp_path: Path) -> None:
    first = write_study(tmp_path, 3, study_instance_uid="2.25.1")
    second = write_study(tmp_path, 2, study_instance_uid="2.25.2")

    manifest = read_input([tmp_path])

    assert {study.study_instance_uid: len(study.entries) for study in manifest.studies} == {"2.25.1": 3, "2.25.2": 2}
    assert {entry.path for study in manifest.studies for entry in study.entries} == {
        str(path) for path in first + second
    }
    assert (manifest.skipped, manifest.left_out) == ((), 0)


def test_an_entry_says_where_its_data_set_lies_and_how_its_file_was(tmp_path: Path) -> None:
    path = write_instance(tmp_path, sop_instance_uid="2.25.7", transfer_syntax_uid=ImplicitVRLittleEndian)

    (study,) = read_input([path]).studies
    (entry,) = study.entries

    assert (entry.sop_instance_uid, entry.transfer_syntax_uid) == ("2.25.7", ImplicitVRLittleEndian)
    assert (entry.path, entry.member, entry.notes) == (str(path), "", ())
    assert path.read_bytes()[entry.data_set_offset :] == data_set_bytes(path)
    assert entry.data_set_size == len(data_set_bytes(path))
    assert (entry.file_size, entry.modified_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_the_same_input_gives_the_same_manifest(tmp_path: Path) -> None:
    write_study(tmp_path, 20, series=3)

    assert read_input([tmp_path]) == read_input([tmp_path])


def write_described(path: Path, *, text: bytes, modality: bytes, date: bytes = b"20260105", **uids: str) -> None:
    """A file that describes its study."""
    description = (
        EXPLICIT.element(0x00080020, "DA", date)
        + EXPLICIT.element(0x00080060, "CS", modality)
        + EXPLICIT.element(0x00081030, "LO", text)
    )
    data_set = EXPLICIT.element(0x00080005, "CS", b"ISO_IR 192") + EXPLICIT.identity(description, **uids)
    path.write_bytes(part10(data_set + EXPLICIT.described(2) + EXPLICIT.element(0x7FE00010, "OB", b"\0\0")))


def test_a_study_is_described_by_its_files(tmp_path: Path) -> None:
    write_described(tmp_path / "1", text=b"", modality=b"PT", sop_instance_uid="2.25.1", series_instance_uid="2.25.11")
    write_described(
        tmp_path / "2",
        text="Schädel".encode(),
        modality=b"CT",
        sop_instance_uid="2.25.2",
        series_instance_uid="2.25.12",
    )
    write_described(tmp_path / "3", text=b"Other ", modality=b"CT", study_instance_uid="2.25.9", sop_instance_uid="3.3")

    first, second = read_input([tmp_path]).studies

    assert first.description == StudyDescription("Schädel", "2026-01-05", ("CT", "PT"), 2)
    assert second.description == StudyDescription("Other", "2026-01-05", ("CT",), 1)


def test_a_file_that_is_not_part_of_a_study_does_not_describe_it(tmp_path: Path) -> None:
    write_described(tmp_path / "a", text=b"", modality=b"CT", sop_instance_uid="2.25.1")
    write_described(tmp_path / "b", text=b"Later ", modality=b"PT", sop_instance_uid="2.25.1")

    manifest = read_input([tmp_path])

    assert kinds(manifest) == {"b": "conflict"}
    assert manifest.studies[0].description == StudyDescription("", "2026-01-05", ("CT",), 1)


def test_a_study_that_says_nothing_of_itself_is_described_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(part10(EXPLICIT.image()))

    assert read_input([tmp_path]).studies[0].description == StudyDescription(series=1)


def test_an_empty_folder_has_no_study(tmp_path: Path) -> None:
    assert read_input([tmp_path]) == InputManifest(studies=(), skipped=())


def test_a_path_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="does not exist"):
        read_input([tmp_path, tmp_path / "nowhere"])


def test_what_is_no_dicom_file_lies_harmlessly_among_the_others(tmp_path: Path) -> None:
    write_study(tmp_path, 2)
    (tmp_path / "README").write_text("about these slices")

    manifest = read_input([tmp_path])

    assert (kinds(manifest), manifest.left_out) == ({"README": "not-dicom"}, 0)


def test_a_cut_file_is_left_out_and_the_rest_of_its_study_is_not(tmp_path: Path) -> None:
    cut, whole = write_study(tmp_path, 2)
    os.truncate(cut, cut.stat().st_size - 1)

    manifest = read_input([tmp_path])

    assert (kinds(manifest), manifest.left_out) == ({cut.name: "broken"}, 1)
    assert names(manifest) == [[whole.name]]


def test_the_same_data_set_in_another_file_counts_once(tmp_path: Path) -> None:
    first = write_instance(tmp_path, name="a")
    shutil.copy(first, tmp_path / "b")
    with (tmp_path / "b").open("r+b") as other_preamble:
        other_preamble.write(b"II*\0")

    manifest = read_input([tmp_path])

    assert names(manifest) == [["a"]]
    assert (kinds(manifest), manifest.left_out) == ({"b": "duplicate"}, 0)
    assert reason(manifest) == f"the same data set as {first}"
    assert manifest.studies[0].conflicts == frozenset()


def test_padding_after_the_data_set_makes_no_other_instance_of_it(tmp_path: Path) -> None:
    first = write_instance(tmp_path, name="a")
    (tmp_path / "b").write_bytes(first.read_bytes() + bytes(512))

    assert kinds(read_input([tmp_path])) == {"b": "duplicate"}


@pytest.mark.parametrize(
    "other",
    [{"noise": 99}, {"patient_id": "OTHER"}, {"transfer_syntax_uid": ImplicitVRLittleEndian}],
    ids=["pixels", "patient", "transfer syntax"],
)
def test_other_content_under_the_same_uid_is_a_conflict_of_its_study(tmp_path: Path, other: dict[str, Any]) -> None:
    first = write_same_uids(tmp_path, name="a")
    write_same_uids(tmp_path, name="b", **other)

    manifest = read_input([tmp_path])

    assert names(manifest) == [["a"]]
    assert manifest.studies[0].conflicts == {"2.25.3"}
    assert (kinds(manifest), manifest.left_out) == ({"b": "conflict"}, 1)
    assert reason(manifest) == f"other content under the SOPInstanceUID of {first}"


def test_a_conflict_between_two_studies_is_one_of_both(tmp_path: Path) -> None:
    write_instance(tmp_path, name="a", study_instance_uid="2.25.1", sop_instance_uid="2.25.3")
    write_instance(tmp_path, name="b", study_instance_uid="2.25.2", sop_instance_uid="2.25.3")
    write_instance(tmp_path, name="c", study_instance_uid="2.25.2")
    write_instance(tmp_path, name="d", study_instance_uid="2.25.4")

    manifest = read_input([tmp_path])

    assert names(manifest) == [["a"], ["b", "c"], ["d"]]
    assert [study.conflicts for study in manifest.studies] == [{"2.25.3"}, {"2.25.3"}, set()]
    assert reason(manifest).endswith("/a, which is of another study")


def test_a_study_of_nothing_but_a_conflicting_file_is_a_study_all_the_same(tmp_path: Path) -> None:
    write_instance(tmp_path, name="a", study_instance_uid="2.25.1", sop_instance_uid="2.25.3")
    write_instance(tmp_path, name="b", study_instance_uid="2.25.2", sop_instance_uid="2.25.3")

    manifest = read_input([tmp_path])

    assert [study.study_instance_uid for study in manifest.studies] == ["2.25.1", "2.25.2"]
    assert [study.conflicts for study in manifest.studies] == [{"2.25.3"}, {"2.25.3"}]
    assert kinds(manifest) == {"b": "conflict"}


def test_three_files_of_one_uid_are_each_compared_with_the_first(tmp_path: Path) -> None:
    for name, noise in (("a", 1), ("b", 2), ("c", 1)):
        write_same_uids(tmp_path, name=name, noise=noise)

    assert kinds(read_input([tmp_path])) == {"b": "conflict", "c": "duplicate"}


def test_the_same_path_given_twice_is_read_once(tmp_path: Path) -> None:
    path = write_instance(tmp_path)
    (tmp_path / "README").write_text("about this slice")

    manifest = read_input([path, tmp_path, path])

    assert names(manifest) == [[path.name]]
    assert kinds(manifest) == {"README": "not-dicom"}


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_a_link_to_a_file_that_was_read_is_its_duplicate(tmp_path: Path, link: object) -> None:
    path = write_instance(tmp_path, name="a")
    assert callable(link)
    link(path, tmp_path / "b")

    manifest = read_input([tmp_path])

    assert (kinds(manifest), manifest.left_out) == ({"b": "duplicate"}, 0)
    assert reason(manifest) == f"the same file as {path}"


def test_no_name_of_a_file_can_command_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jcleared\n").write_text("no DICOM file")

    (skipped,) = read_input([tmp_path]).skipped

    assert skipped.path == f"{tmp_path}/\\x1b[2Jcleared\\n"


def test_a_file_with_an_odd_name_is_sent_from_where_it_lies(tmp_path: Path) -> None:
    path = write_instance(tmp_path, name="\x1b[2J <b>\n'\"")

    assert read_input([tmp_path]).studies[0].entries[0].path == str(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_broken(tmp_path: Path) -> None:
    write_instance(tmp_path, name="a").chmod(0)

    manifest = read_input([tmp_path])

    assert (kinds(manifest), reason(manifest)) == ({"a": "broken"}, "it cannot be read: Permission denied")


def test_an_error_of_the_disk_is_broken_and_no_traceback() -> None:
    # Reading the memory of one's own process from its beginning is an input/output error.
    manifest = read_input(["/proc/self/mem"])

    assert (kinds(manifest), reason(manifest)) == ({"mem": "broken"}, "it cannot be read: Input/output error")


def test_progress_is_told_every_hundred_files_and_at_the_end(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / str(number)).touch()
    told: list[int] = []

    read_input([tmp_path], progress=told.append)

    assert told == [100, 200, 250]


def test_no_file_is_left_open(tmp_path: Path) -> None:
    cut, *_ = write_study(tmp_path, 5)
    os.truncate(cut, 1000)
    before = len(os.listdir("/proc/self/fd"))

    read_input([tmp_path])

    assert len(os.listdir("/proc/self/fd")) == before


def test_repeated_uids_are_kept_once_in_memory(tmp_path: Path) -> None:
    write_study(tmp_path, 2, study_instance_uid=unique_uid())

    one, other = read_input([tmp_path]).studies[0].entries

    assert one.study_instance_uid is other.study_instance_uid
    assert one.series_instance_uid is other.series_instance_uid
    assert one.sop_class_uid is other.sop_class_uid
    assert one.transfer_syntax_uid is other.transfer_syntax_uid == ExplicitVRLittleEndian


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder outside the one that may be read, which is beside it."""
    (tmp_path / "import").mkdir()
    (tmp_path / "secret").mkdir()
    return tmp_path / "secret"


def test_what_leads_out_of_the_folder_that_may_be_read_is_skipped_as_unsafe(secret: Path) -> None:
    folder = secret.parent / "import"
    (folder / "link").symlink_to(write_instance(secret))
    inside = write_instance(folder)

    manifest = read_input([folder, secret], within=folder)

    assert names(manifest) == [[inside.name]]
    assert (kinds(manifest), manifest.left_out) == ({"link": "unsafe", "secret": "unsafe"}, 2)
    assert {skipped.reason for skipped in manifest.skipped} == {"it leads out of the folder that may be read"}


def read_while_links_are_put(folder: Path, links: dict[str, Path]) -> InputManifest:
    """Read a folder, in which the hundredth file becomes a link when it was found and is not opened yet, and others."""

    def put_links(count: int) -> None:
        for name, target in links.items() if count == 100 else ():
            (folder / name).unlink()
            (folder / name).symlink_to(target)

    for number in range(100):
        if not (folder / f"{number:03}").exists():
            (folder / f"{number:03}").touch()
    return read_input([folder], progress=put_links, within=folder)


def test_a_link_out_that_takes_the_place_of_a_file_before_it_is_opened_is_unsafe(secret: Path) -> None:
    folder = secret.parent / "import"

    manifest = read_while_links_are_put(folder, {"099": write_instance(secret)})

    assert manifest.studies == ()
    assert kinds(manifest)["099"] == "unsafe"


def test_a_link_out_of_one_of_two_files_keeps_them_from_passing_for_the_same(secret: Path) -> None:
    folder = secret.parent / "import"
    first = write_instance(folder, name="000")
    shutil.copy(first, secret / "same")
    shutil.copy(first, folder / "099")

    manifest = read_while_links_are_put(folder, {"000": secret / "same"})

    assert kinds(manifest)["099"] == "conflict"
    assert manifest.skipped[-1].reason.endswith("comparing them failed (it leads out of the folder that may be read)")


BROKEN_OF_SHARED_DATA = {
    "crlf_mangled.dcm": "broken",
    "empty_SOPClassUID.dcm": "no-uid",
    "empty_SOPInstanceUID.dcm": "no-uid",
    "empty_SeriesInstanceUID.dcm": "no-uid",
    "empty_StudyInstanceUID.dcm": "no-uid",
    "magic_lowercase.dcm": "not-dicom",
    "meta_only.dcm": "no-uid",
    "missing_SOPClassUID.dcm": "no-uid",
    "missing_SOPInstanceUID.dcm": "no-uid",
    "missing_SeriesInstanceUID.dcm": "no-uid",
    "missing_StudyInstanceUID.dcm": "no-uid",
    "readme_renamed.dcm": "not-dicom",
    "trailing_garbage.dcm": "duplicate",
    "trailing_zeros.dcm": "duplicate",
    "trunc_in_header.dcm": "broken",
    "trunc_in_meta.dcm": "broken",
    "trunc_in_pixels.dcm": "broken",
    "trunc_one_byte.dcm": "broken",
    "two_files_concatenated.dcm": "broken",
    "zero_bytes.dcm": "not-dicom",
}


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="shared/data is not beside the project")
def test_every_broken_file_of_the_shared_data_is_called_what_it_is() -> None:
    manifest = read_input([SHARED_DATA / "derived" / "broken"])

    assert kinds(manifest) == BROKEN_OF_SHARED_DATA
    assert sorted(name for study in names(manifest) for name in study) == ["bad_group_length.dcm", "date_invalid.dcm"]


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="shared/data is not beside the project")
def test_every_good_study_of_the_shared_data_is_whole() -> None:
    manifest = read_input([SHARED_DATA / "studies", SHARED_DATA / "derived" / "valid_odd"])

    assert len(manifest.studies) == 5 + 14
    assert sum(len(study.entries) for study in manifest.studies) == 608 + 342 + 286 + 14
    assert {skipped.kind for skipped in manifest.skipped} == {SkippedKind.NOT_DICOM}
