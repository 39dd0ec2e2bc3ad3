"""What lies in the import folders, for choosing what to send: nothing outside of them is shown, or told apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transfers.import_roots import PathNotAllowed, confined, import_roots, root_by_name

ENTRIES_MAXIMUM = 1_000
"""Shown of one folder; who looks for another one types its path."""


class Entry(NamedTuple):
    """A folder or file that can be chosen."""

    name: str
    path: str
    is_folder: bool


class Folder(NamedTuple):
    """What lies in one folder; or, without a path, the import folders themselves."""

    path: str
    parent: str
    """Empty where the import folders are one level up."""
    entries: tuple[Entry, ...]
    """Folders first, each by name."""
    is_cut: bool = False
    """There is more than is shown."""


def top() -> Folder:
    """The import folders."""
    return Folder("", "", tuple(Entry(str(root), str(root), is_folder=True) for root in import_roots()))


def look_into(path: str) -> Folder:
    """What can be chosen in a folder; of a file, the folder that it lies in. Raises PathNotAllowed."""
    real = confined(path)
    folder = real if real.is_dir() else real.parent
    parent = "" if folder in import_roots() else str(folder.parent)
    try:
        entries = sorted(_entries(folder), key=lambda entry: (not entry.is_folder, entry.name.casefold(), entry.name))
    except OSError:
        raise PathNotAllowed("This folder cannot be read: check its permissions.") from None
    return Folder(str(folder), parent, tuple(entries[:ENTRIES_MAXIMUM]), is_cut=len(entries) > ENTRIES_MAXIMUM)


def _entries(folder: Path) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        for each in found:
            if not each.name.startswith(".") and _is_inside(each) and (each.is_dir() or each.is_file()):
                yield Entry(each.name, each.path, is_folder=each.is_dir())


def _is_inside(entry: os.DirEntry[str]) -> bool:
    """A link may lead anywhere."""
    if not entry.is_symlink():
        return True
    try:
        root_by_name(os.path.realpath(entry.path))
    except PathNotAllowed:
        return False
    return True
