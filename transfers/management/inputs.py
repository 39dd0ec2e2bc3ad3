"""The paths given on the command line, read into a manifest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from audit.entries import InputManifest
from audit.inputs import InputUnreadable
from audit.manifest import read_input
from transfers.management.base import wrong_usage
from transfers.management.terminal import reading_bar


def read_manifest(paths: Sequence[str]) -> InputManifest:
    """Raises CommandError for a path that is not there."""
    try:
        with reading_bar(sys.stderr) as count:
            return read_input(paths, progress=count)
    except InputUnreadable as error:
        raise wrong_usage(str(error)) from error
