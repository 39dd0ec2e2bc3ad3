"""Every file of an input is found once, and nothing that is no file is ever opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from audit.entries import SkippedKind
from audit.inputs import InputUnreadable, files_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of its own, so that tests can put things beside it."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    return path


def found(*paths: Path) -> list[str]:
    return [file.path for file in files_in(paths) if not file.fault]


def faults(*paths: Path) -> dict[str, str]:
    return {Path(file.path).name: file.fault.reason for file in files_in(paths) if file.fault}


def test_files_come_by_name_whatever_their_name_and_however_deep(folder: Path) -> None:
    names = ["IM2", ".hidden", "a.b/deep/er/IM1", "IM1.dcm", "z/no extension", "a.b/IM9"]
    for name in names:
        write(folder / name)

    assert found(folder) == [str(folder / name) for name in sorted(names)]


def test_given_files_come_as_they_are_given(folder: Path) -> None:
    second, first = write(folder / "2"), write(folder / "1")

    assert found(second, first) == [str(second), str(first)]


def test_a_path_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder / "IM1")
    monkeypatch.chdir(folder)

    assert found(Path("."), Path("../folder/IM1")) == [str(folder / "IM1")] * 2


def test_a_path_that_does_not_exist_is_told_before_anything_is_read(folder: Path) -> None:
    with pytest.raises(InputUnreadable, match=r"nowhere does not exist.*\. Check its spelling"):
        next(files_in([write(folder / "IM1"), folder / "nowhere"]))


def test_an_empty_folder_holds_nothing(folder: Path) -> None:
    assert list(files_in([folder])) == []


def test_links_to_folders_are_followed_once_and_not_in_circles(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "IM1")
    write(folder / "sub" / "IM2")
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "first link").symlink_to(tmp_path / "elsewhere")
    (folder / "second link").symlink_to(tmp_path / "elsewhere")

    assert found(folder) == [str(folder / "first link" / "IM1"), str(folder / "sub" / "IM2")]


def test_a_folder_given_twice_is_walked_once(folder: Path) -> None:
    write(folder / "sub" / "IM1")

    assert found(folder, folder / "sub", folder) == [str(folder / "sub" / "IM1")]


def test_links_that_lead_nowhere_are_named(folder: Path) -> None:
    (folder / "dangling").symlink_to(folder / "nothing")
    (folder / "circle").symlink_to(folder / "circle")

    assert faults(folder) == {
        "dangling": "it is a link to a file that does not exist",
        "circle": "it cannot be read: Too many levels of symbolic links",
    }


def test_pipes_sockets_and_devices_are_named_and_never_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    (folder / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")

        assert faults(folder) == dict.fromkeys(("device", "pipe", "socket"), "it is a pipe, a socket or a device")


def test_a_pipe_that_is_given_itself_is_named_too(folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    assert faults(folder / "pipe") == {"pipe": "it is a pipe, a socket or a device"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
def test_a_folder_without_permission_is_named(folder: Path) -> None:
    write(folder / "closed" / "IM1")
    write(folder / "open" / "IM2")
    (folder / "closed").chmod(0)

    assert faults(folder) == {"closed": "it cannot be read: Permission denied"}
    assert found(folder) == [str(folder / "open" / "IM2")]


def test_a_folder_that_vanishes_while_it_is_walked_is_named(folder: Path) -> None:
    write(folder / "1")
    (folder / "2").mkdir()
    walk = files_in([folder])
    next(walk)
    (folder / "2").rmdir()

    assert [file.fault.reason for file in walk if file.fault] == ["it cannot be read: No such file or directory"]


def test_a_name_that_is_not_utf_8_is_named(folder: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(folder) + b"/M\xfcller")))

    assert list(faults(folder).values()) == ["its name is not UTF-8; rename it"]


def confined(folder: Path, *paths: Path) -> tuple[list[str], dict[str, SkippedKind]]:
    """What of the paths may be read within a folder, and the kind of what is left out by its path."""
    files = list(files_in(paths, within=folder))
    return [file.path for file in files if not file.fault], {file.path: file.fault.kind for file in files if file.fault}


def test_links_that_lead_out_of_the_folder_that_may_be_read_are_unsafe(folder: Path, tmp_path: Path) -> None:
    inside, outside = write(folder / "sub" / "IM1"), write(tmp_path / "elsewhere" / "secret")
    (folder / "file").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    (folder / "nothing").symlink_to(tmp_path / "nothing")
    (folder / "link").symlink_to(folder / "sub" / "IM1")

    files, left_out = confined(folder, folder)

    assert files == [str(folder / "link"), str(inside)]
    assert left_out == dict.fromkeys((str(folder / name) for name in ("file", "folder", "nothing")), SkippedKind.UNSAFE)


def test_given_paths_outside_are_unsafe_be_they_there_or_not(folder: Path, tmp_path: Path) -> None:
    inside, outside = write(folder / "IM1"), write(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)

    files, left_out = confined(folder, outside, inside, tmp_path / "nowhere", folder / "out" / "nowhere", tmp_path)

    assert files == [str(inside)]
    assert left_out == dict.fromkeys(
        (str(path) for path in (outside, tmp_path / "nowhere", folder / "out" / "nowhere", tmp_path)),
        SkippedKind.UNSAFE,
    )


@pytest.mark.parametrize("name", ["nowhere", "IM1/deeper", "a\0b"])
def test_a_path_inside_that_does_not_exist_is_still_told(folder: Path, name: str) -> None:
    write(folder / "IM1")

    with pytest.raises(InputUnreadable, match="does not exist"):
        next(files_in([folder / name], within=folder))


def test_the_folder_that_may_be_read_can_be_given_by_a_link_and_links_in_it_are_followed_once(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "import").symlink_to(folder)
    write(folder / "sub" / "IM1")
    (folder / "sub" / "up").symlink_to(folder)

    assert confined(tmp_path / "import", tmp_path / "import") == ([str(tmp_path / "import" / "sub" / "IM1")], {})


def test_a_folder_that_becomes_a_link_out_while_the_others_are_walked_is_not_listed(
    folder: Path, tmp_path: Path
) -> None:
    write(folder / "1")
    write(folder / "2" / "IM1")
    write(tmp_path / "elsewhere" / "secret")
    walk = files_in([folder], within=folder)
    next(walk)
    (folder / "2").rename(folder / "3")
    (folder / "2").symlink_to(tmp_path / "elsewhere")

    assert [(file.path, file.fault and file.fault.reason) for file in walk] == [
        (str(folder / "2"), "it leads out of the folder that may be read")
    ]
