"""What is sent is the data set as the manifest found it, or nothing."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from audit.entries import ManifestEntry
from audit.zip_files import KEPT_OPEN
from transfers.errors import SourceError, SourceFileChanged, SourceFileUnreadable
from transfers.sources.files import FileReader, FileReaders

DATA_SET = bytes(range(256)) * 40
FILE_META = b"\0" * 128 + b"DICM" + b"meta"


def entry_of(path: Path, *, member: str = "", data_set_size: int = len(DATA_SET)) -> ManifestEntry:
    found = path.stat()
    return ManifestEntry(
        sop_instance_uid="2.25.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        study_instance_uid="2.25.2",
        series_instance_uid="2.25.3",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        path=str(path),
        member=member,
        data_set_offset=len(FILE_META),
        data_set_size=data_set_size,
        modified_ns=found.st_mtime_ns,
        file_size=found.st_size,
    )


def read_all(reader: FileReader, buffer_size: int = 4096, *, into: bytearray | None = None) -> bytes:
    buffer = memoryview(bytearray(buffer_size))
    content = bytearray() if into is None else into
    while length := reader.readinto(buffer):
        content += buffer[:length]
    return bytes(content)


def write_zip(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "instance"
    path.write_bytes(FILE_META + DATA_SET)
    return path


@pytest.fixture
def zip_file(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "study.zip", {"a/instance": FILE_META + DATA_SET, "b": FILE_META + DATA_SET[::-1]})


@pytest.mark.parametrize("buffer_size", [1, 4096, len(DATA_SET), 1 << 20])
def test_a_data_set_is_read_byte_for_byte_whatever_the_buffer(file: Path, buffer_size: int) -> None:
    with FileReader(entry_of(file)) as reader:
        assert read_all(reader, buffer_size) == DATA_SET


def test_bytes_after_the_data_set_are_not_read(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(b"garbage")

    with FileReader(entry_of(file)) as reader:
        assert read_all(reader, 1 << 20) == DATA_SET


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_changed_since_the_manifest_is_not_opened(file: Path, change: str) -> None:
    entry = entry_of(file)
    contents = {"longer": FILE_META + DATA_SET + b"\0", "shorter": FILE_META, "touched": FILE_META + DATA_SET}
    file.write_bytes(contents[change])
    os.utime(file, ns=(entry.modified_ns, entry.modified_ns + (change == "touched")))

    with pytest.raises(SourceFileChanged, match="Send again"):
        FileReader(entry)


def test_a_file_that_changes_while_it_is_read_is_noticed(file: Path) -> None:
    entry = entry_of(file)
    with FileReader(entry) as reader:
        read_all(reader)
        reader.check_unchanged()
        os.utime(file, ns=(entry.modified_ns, entry.modified_ns + 1))

        with pytest.raises(SourceFileChanged):
            reader.check_unchanged()


def test_a_file_cut_while_it_is_read_raises_instead_of_ending_early(file: Path) -> None:
    with FileReader(entry_of(file)) as reader:
        os.truncate(file, len(FILE_META) + 100)

        with pytest.raises(SourceFileChanged):
            read_all(reader)


def test_a_file_that_vanished_is_unreadable(file: Path) -> None:
    entry = entry_of(file)
    file.unlink()

    with pytest.raises(SourceFileUnreadable, match="No such file") as caught:
        FileReader(entry)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(file: Path) -> None:
    file.chmod(0)

    with pytest.raises(SourceFileUnreadable, match="Permission denied"):
        FileReader(entry_of(file))


@pytest.mark.parametrize("member", ["", "a/instance"])
def test_a_pipe_in_place_of_the_file_is_refused_at_once(
    tmp_path: Path, file: Path, zip_file: Path, member: str
) -> None:
    path = zip_file if member else file
    entry = entry_of(path, member=member)
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(SourceError):
        FileReader(entry)


@pytest.mark.parametrize("buffer_size", [1000, 1 << 20])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_a_zip_file_is_read_byte_for_byte(tmp_path: Path, compression: int, buffer_size: int) -> None:
    path = write_zip(tmp_path / "study.zip", {"a": FILE_META + DATA_SET}, compression)

    with FileReader(entry_of(path, member="a")) as reader:
        assert read_all(reader, buffer_size) == DATA_SET
        reader.check_unchanged()


def test_a_zip_file_that_changed_is_not_opened(zip_file: Path) -> None:
    entry = entry_of(zip_file, member="b")
    os.utime(zip_file, ns=(0, 0))

    with pytest.raises(SourceFileChanged):
        FileReader(entry)


def test_a_zip_file_kept_open_that_changed_is_not_read_from_again(zip_file: Path) -> None:
    entry = entry_of(zip_file, member="b")
    with FileReaders() as readers:
        with readers.open(entry) as reader:
            os.utime(zip_file, ns=(0, 0))
            with pytest.raises(SourceFileChanged):
                reader.check_unchanged()

        with pytest.raises(SourceFileChanged):
            readers.open(entry)


@pytest.mark.parametrize("tail", [b"", b"bytes after the data set"])
def test_a_member_with_a_wrong_crc_raises_before_its_last_bytes_are_handed_out(tmp_path: Path, tail: bytes) -> None:
    path = write_zip(tmp_path / "study.zip", {"a": FILE_META + DATA_SET + tail}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    handed_out = bytearray()

    with FileReader(entry_of(path, member="a")) as reader, pytest.raises(SourceFileUnreadable, match="CRC"):
        read_all(reader, into=handed_out)

    assert len(handed_out) < len(DATA_SET)


def test_a_member_that_ends_early_is_unreadable(zip_file: Path) -> None:
    entry = entry_of(zip_file, member="b", data_set_size=len(DATA_SET) + 1)

    with FileReader(entry) as reader, pytest.raises(SourceFileUnreadable, match="ends before"):
        read_all(reader)


def test_a_member_that_is_not_there_is_unreadable(zip_file: Path) -> None:
    with pytest.raises(SourceFileUnreadable):
        FileReader(entry_of(zip_file, member="c"))


def test_a_file_that_is_no_zip_file_is_unreadable(file: Path) -> None:
    with pytest.raises(SourceFileUnreadable, match="not a zip file"):
        FileReader(entry_of(file, member="a"))


def test_a_zip_file_is_parsed_once_for_all_its_members(zip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class CountedZipFile(zipfile.ZipFile):
        def __init__(self, path: str) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(zipfile, "ZipFile", CountedZipFile)

    with FileReaders() as readers:
        for member in ("a/instance", "b", "a/instance"):
            with readers.open(entry_of(zip_file, member=member)) as reader:
                read_all(reader)

    assert len(opened) == 1


def test_no_more_than_a_few_zip_files_are_kept_open(tmp_path: Path) -> None:
    paths = [write_zip(tmp_path / f"{number}.zip", {"a": FILE_META + DATA_SET}) for number in range(12)]
    before = len(os.listdir("/proc/self/fd"))

    with FileReaders() as readers:
        for path in paths:
            with readers.open(entry_of(path, member="a")) as reader:
                assert read_all(reader) == DATA_SET
        assert len(os.listdir("/proc/self/fd")) == before + KEPT_OPEN
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_reader_leaves_no_file_open_whatever_happens(file: Path, zip_file: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))

    for entry in (entry_of(file), entry_of(zip_file, member="b"), entry_of(file, data_set_size=1 << 30)):
        with FileReader(entry) as reader:
            reader.readinto(memoryview(bytearray(10)))
    for entry in (entry_of(zip_file, member="c"), entry_of(file, member="b")):
        with pytest.raises(SourceFileUnreadable):
            FileReader(entry)

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("member", ["", "a/instance"], ids=["file", "ZIP file"])
def test_a_link_out_of_the_folder_in_place_of_a_file_is_unreadable(
    tmp_path: Path, file: Path, zip_file: Path, member: str
) -> None:
    folder, secret = tmp_path / "import", zip_file if member else file
    folder.mkdir()
    shutil.copy2(secret, folder / "file")
    entry = entry_of(folder / "file", member=member)
    with FileReaders(within=folder) as readers, readers.open(entry) as reader:
        assert read_all(reader) == DATA_SET
    (folder / "file").unlink()
    (folder / "file").symlink_to(secret)

    with FileReaders() as readers, readers.open(entry) as reader:
        assert read_all(reader) == DATA_SET
    with (
        FileReaders(within=folder) as readers,
        pytest.raises(SourceFileUnreadable, match="it leads out of the folder that may be read"),
    ):
        readers.open(entry)
