"""Finds the files of an input: the given files, and what lies in the given folders.

Nothing but regular files is handed out, and a folder that is reached by several links is walked once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.escaping import printable
from audit.left_out import LeftOut, broken


class InputUnreadable(ValueError):
    """A path of the input does not exist, or may not be looked at. The message says what to check."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{printable(path)} does not exist, or is in a folder that may not be read. "
            "Check its spelling and permissions, and that it is mounted on this machine."
        )


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to look into, or the fault for which it (or a folder) cannot be looked into."""

    path: str
    fault: LeftOut | None = None


def files_in(paths: Sequence[str | Path]) -> Iterator[FoundFile]:
    """The files under the given paths in a fixed order: as given, and by name within a folder.

    Raises InputUnreadable for a path that does not exist, before anything is handed out.
    """
    absolute = [os.path.abspath(path) for path in paths]
    for path in absolute:
        if not os.path.lexists(path):
            raise InputUnreadable(path)
    walk = _Walk()
    for path in absolute:
        yield from walk.files_under(path)


def unreadable(error: OSError) -> LeftOut:
    """A fault of the file system, for people."""
    return broken(f"it cannot be read: {error.strerror or error}")


class _Walk:
    """A walk through folders, each once."""

    def __init__(self) -> None:
        self._folders: set[tuple[int, int]] = set()

    def files_under(self, path: str) -> Iterator[FoundFile]:
        pending: list[str | os.DirEntry[str]] = [path]
        while pending:
            entry = pending.pop()
            path = os.fspath(entry)
            try:
                if _is_folder(entry):
                    pending += reversed(self._children(path))
                else:
                    yield _found_file(entry)
            except OSError as error:
                yield FoundFile(path, unreadable(error))

    def _children(self, folder: str) -> list[os.DirEntry[str]]:
        found = os.stat(folder)
        identity = (found.st_dev, found.st_ino)
        if identity in self._folders:
            return []
        self._folders.add(identity)
        with os.scandir(folder) as children:
            return sorted(children, key=lambda child: child.name)


def _is_folder(entry: str | os.DirEntry[str]) -> bool:
    return stat.S_ISDIR(os.stat(entry).st_mode) if isinstance(entry, str) else entry.is_dir()


def _found_file(entry: str | os.DirEntry[str]) -> FoundFile:
    path = os.fspath(entry)
    is_file = stat.S_ISREG(os.stat(entry).st_mode) if isinstance(entry, str) else entry.is_file()
    if not is_file:
        kind = "a link to a file that does not exist" if not os.path.exists(path) else "a pipe, a socket or a device"
        return FoundFile(path, broken(f"it is {kind}"))
    if not _is_utf8(path):
        return FoundFile(path, broken("its name is not UTF-8; rename it"))
    return FoundFile(path)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
