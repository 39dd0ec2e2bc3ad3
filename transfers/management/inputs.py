"""The paths given on the command line, read into a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from audit.entries import InputManifest
from audit.inputs import InputUnreadable
from audit.manifest import read_input
from transfers.management.base import wrong_usage


def read_manifest(paths: Sequence[str]) -> InputManifest:
    """Raises CommandError for a path that is not there."""
    try:
        return read_input(paths)
    except InputUnreadable as error:
        raise wrong_usage(str(error)) from error
