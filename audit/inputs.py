"""Finds the files of an input: the given files, and what lies in the given folders.

Nothing but regular files is handed out, and a folder that is reached by several links is walked once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.confinement import Confinement, LeadsOut
from audit.entries import SkippedKind
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


def files_in(paths: Sequence[str | Path], within: str | Path | None = None) -> Iterator[FoundFile]:
    """The files under the given paths in a fixed order: as given, and by name within a folder.

    What leads out of the folder `within`, by a link or because it was given so, is handed out with the fault `unsafe`,
    and tells nothing of what is there. Between this and opening a file its path may change: see `confinement`.

    Raises InputUnreadable for a path that does not exist, before anything is handed out.
    """
    confinement = Confinement(within)
    absolute = [os.path.abspath(path) for path in paths]
    for path in absolute:
        if not os.path.lexists(path) and ("\0" in path or confinement.holds(path)):
            raise InputUnreadable(path)
    walk = _Walk(confinement)
    for path in absolute:
        yield from walk.files_under(path)


def unreadable(error: OSError) -> LeftOut:
    """A fault of the file system, for people."""
    if isinstance(error, LeadsOut):
        return LeftOut(SkippedKind.UNSAFE, str(error.strerror))
    return broken(f"it cannot be read: {error.strerror or error}")


class _Walk:
    """A walk through folders, each once."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement
        self._folders: set[tuple[int, int]] = set()

    def files_under(self, path: str) -> Iterator[FoundFile]:
        pending = [path]
        while pending:
            path = pending.pop()
            try:
                mode = self._confinement.stat(path).st_mode
                if stat.S_ISDIR(mode):
                    pending += reversed(self._children(path))
                else:
                    yield FoundFile(path, _fault(path, mode))
            except OSError as error:
                yield FoundFile(path, _why_unreadable(path, error))

    def _children(self, folder: str) -> list[str]:
        descriptor = self._confinement.open(folder)
        try:
            found = os.fstat(descriptor)
            identity = (found.st_dev, found.st_ino)
            if identity in self._folders:
                return []
            self._folders.add(identity)
            return [os.path.join(folder, name) for name in sorted(os.listdir(descriptor))]
        finally:
            os.close(descriptor)


def _fault(path: str, mode: int) -> LeftOut | None:
    if not stat.S_ISREG(mode):
        return broken("it is a pipe, a socket or a device")
    if not _is_utf8(path):
        return broken("its name is not UTF-8; rename it")
    return None


def _why_unreadable(path: str, error: OSError) -> LeftOut:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return broken("it is a link to a file that does not exist")
    return unreadable(error)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
