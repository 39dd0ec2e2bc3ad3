"""The folders that the browser and the API may send from (IMPORT_ROOTS)."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from transfers.errors import TransferError


class PathNotAllowed(TransferError):
    """This path is not in one of the import folders (IMPORT_ROOTS), or is not there."""

    code = "path_not_allowed"


def import_roots() -> tuple[Path, ...]:
    """The real paths of the folders that are there."""
    return tuple(Path(os.path.realpath(root)) for root in settings.IMPORT_ROOTS if os.path.isdir(root))


def root_by_name(path: str | Path) -> Path:
    """The import folder that a real path names, wherever links that were made since may lead. Raises PathNotAllowed."""
    for root in import_roots():
        if Path(path) == root or root in Path(path).parents:
            return root
    raise PathNotAllowed


def confined(path: str | Path) -> Path:
    """The real path, if it is there and in an import folder. Raises PathNotAllowed."""
    if "\0" in str(path) or not os.path.isabs(path):
        raise PathNotAllowed
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:  # nothing is there, or it may not be looked at, or a link was replaced just now
        raise PathNotAllowed from None
    root_by_name(real)
    return Path(real)
