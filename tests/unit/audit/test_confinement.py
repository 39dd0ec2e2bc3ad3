"""Nothing outside the folder that may be read is opened, however it is reached and whatever changes meanwhile."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from audit import confinement
from audit.confinement import Confinement, LeadsOut


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that may be read, with a file in it, beside a folder and a file that may not."""
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "root" / "inner" / "file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"outside")
    return tmp_path / "root"


def read(confined: Confinement, path: Path) -> bytes:
    descriptor = confined.open(str(path))
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_what_lies_within_is_opened_by_whatever_link_that_stays_within(root: Path) -> None:
    (root / "link").symlink_to(root / "inner")
    (root / "relative").symlink_to("link/file")
    confined = Confinement(root)

    assert read(confined, root / "link" / "file") == read(confined, root / "relative") == b"inside"
    assert confined.stat(str(root / "link")).st_ino == (root / "inner").stat().st_ino


def test_a_folder_that_is_given_by_a_link_is_the_one_that_it_leads_to(root: Path) -> None:
    (root.parent / "link").symlink_to(root)

    assert read(Confinement(root.parent / "link"), root / "inner" / "file") == b"inside"
    assert read(Confinement(root), root.parent / "link" / "inner" / "file") == b"inside"


def test_without_a_folder_everything_may_be_read(root: Path) -> None:
    assert read(Confinement(), root.parent / "outside" / "file") == b"outside"


def test_the_root_of_all_holds_everything(root: Path) -> None:
    assert read(Confinement("/"), root.parent / "outside" / "file") == b"outside"


@pytest.fixture(params=["by the kernel", "by the real path"])
def _located(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files lie as on Linux, and as where there is no /proc/self/fd."""
    if request.param == "by the real path":
        monkeypatch.setattr(confinement, "KERNEL_TELLS", False)
        monkeypatch.setattr(confinement, "LOCATING", confinement.READING)


@pytest.mark.usefixtures("_located")
@pytest.mark.parametrize(
    "path",
    [
        "root/link",
        "root/folder",
        "root/folder/file",
        "root/chain",
        "root/nothing",
        "root/folder/nothing",
        "root/inner/../../outside/file",
        "outside/file",
        "root-too",
        "",
    ],
)
def test_whatever_leads_out_is_refused_alike_be_there_anything_or_not(root: Path, path: str) -> None:
    outside = root.parent / "outside"
    (root / "link").symlink_to(outside / "file")
    (root / "folder").symlink_to("../outside")
    (root / "chain").symlink_to("link")
    (root / "nothing").symlink_to(outside / "nothing")
    (root.parent / "root-too").write_bytes(b"outside")
    confined = Confinement(root)

    for look in (confined.open, confined.stat):
        with pytest.raises(LeadsOut, match="it leads out of the folder that may be read"):
            look(str(root.parent / path))
    assert not confined.holds(str(root.parent / path))


@pytest.mark.usefixtures("_located")
def test_what_is_not_there_within_is_not_there(root: Path) -> None:
    (root / "nothing").symlink_to("nowhere")

    for path in (root / "nowhere", root / "nothing", root / "inner" / "file" / "deeper"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            Confinement(root).open(str(path))


def test_links_of_the_kernel_itself_are_no_way_out(root: Path) -> None:
    with (root.parent / "outside" / "file").open() as secret:
        (root / "descriptor").symlink_to(f"/proc/self/fd/{secret.fileno()}")
        (root / "system").symlink_to("/proc/self/root")
        confined = Confinement(root)

        for name in ("descriptor", f"system{root.parent}/outside/file"):
            with pytest.raises(LeadsOut):
                confined.open(str(root / name))


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")

    os.close(Confinement(root).open(str(root / "pipe")))


def test_links_put_in_place_of_a_folder_while_it_is_read_open_nothing_outside(root: Path) -> None:
    confined = Confinement(root)
    seen: Counter[bytes | type[OSError]] = Counter()

    with swapping(root / "inner", root.parent / "outside"):
        for _ in range(3000):
            try:
                seen[read(confined, root / "inner" / "file")] += 1
            except (LeadsOut, FileNotFoundError) as error:
                seen[type(error)] += 1

    assert seen.keys() <= {b"inside", LeadsOut, FileNotFoundError}


@contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[None]:
    """A folder that is a link to another one half of the time, again and again, in a thread."""
    ended = Event()

    def swap() -> None:
        aside, link = folder.with_name("aside"), folder.with_name("link")
        link.symlink_to(outside)
        while not ended.is_set():
            folder.rename(aside)
            link.rename(folder)
            folder.rename(link)
            aside.rename(folder)

    thread = Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "outside")
    confined = Confinement(root)
    before = len(os.listdir("/proc/self/fd"))

    read(confined, root / "inner" / "file")
    confined.stat(str(root / "inner"))
    for path in (root / "link", root / "nothing"):
        with pytest.raises(OSError, match=r"leads out|No such file"):
            confined.open(str(path))

    assert len(os.listdir("/proc/self/fd")) == before
