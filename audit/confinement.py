"""Keeps what is read within one folder, whatever links lead out of it.

Whoever may write into that folder may also put a link in place of a folder or a file while it is being read. So a file
is located first, which opens nothing; then the kernel says where it lies, and exactly that file is opened. Without
/proc/self/fd (not on Linux) only its real path can be looked at, and a link made right then is followed.

A hard link is the file itself, and nobody can tell which of its names was first; Linux lets nobody make one to a file
that they may not write (fs.protected_hardlinks).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DESCRIPTORS = "/proc/self/fd"
KERNEL_TELLS = os.path.isdir(DESCRIPTORS)
READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
"""Without O_NONBLOCK, a pipe that has taken a file's place meanwhile would block for ever."""
LOCATING = getattr(os, "O_PATH", READING)
LEADS_OUT = "it leads out of the folder that may be read"


class LeadsOut(OSError):
    """A path leads out of the folder that may be read."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, LEADS_OUT)


class Confinement:
    """The folder that may be read; without one, everything may. It and what lies above it are trusted not to change."""

    def __init__(self, within: str | Path | None = None) -> None:
        self._root = None if within is None else os.path.realpath(within)

    def holds(self, path: str) -> bool:
        """Whether a path leads to where may be read, be there anything or not."""
        try:
            return self._root is None or self._is_within(os.path.realpath(path))
        except OSError:  # a link on the way was replaced at this very moment
            return False

    def stat(self, path: str) -> os.stat_result:
        """What is there. Raises LeadsOut, and OSError as `os.stat` does."""
        if self._root is None:
            return os.stat(path)
        with self._located(path) as descriptor:
            return os.fstat(descriptor)

    def open(self, path: str) -> int:
        """A descriptor to read a file or list a folder by. Raises LeadsOut, and OSError as `os.open` does."""
        if self._root is None:
            return os.open(path, READING)
        with self._located(path) as descriptor:
            return os.open(name_of(descriptor, path), READING)

    @contextmanager
    def _located(self, path: str) -> Iterator[int]:
        try:
            descriptor = os.open(path, LOCATING)
        except OSError:
            # Whether something is there must not show outside.
            if not self.holds(path):
                raise LeadsOut from None
            raise
        try:
            if not self._is_within(_location(descriptor, path)):
                raise LeadsOut
            yield descriptor
        finally:
            os.close(descriptor)

    def _is_within(self, real_path: str) -> bool:
        root = self._root or os.sep
        return real_path == root or real_path.startswith(root.rstrip(os.sep) + os.sep)


def name_of(descriptor: int, path: str) -> str:
    """By what name the file that is open can be opened once more, though its path may lead elsewhere by now."""
    return f"{DESCRIPTORS}/{descriptor}" if KERNEL_TELLS else path


def _location(descriptor: int, path: str) -> str:
    return os.readlink(name_of(descriptor, path)) if KERNEL_TELLS else os.path.realpath(path)
