"""What is to be sent, as the command line names it, read into manifests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from threading import Event
from typing import NamedTuple

from django.core.management.base import CommandError

from audit.entries import InputManifest, Skipped, StudyManifest
from audit.inputs import InputUnreadable
from audit.manifest import read_input
from transfers.errors import (
    RequestError,
    RequestInterrupted,
    SourceStopped,
    StudyAmbiguous,
    StudyNotAtSource,
    StudyNotStable,
)
from transfers.exit_codes import ExitCode
from transfers.management.base import wrong_usage
from transfers.management.terminal import reading_bar
from transfers.models import Source
from transfers.passwords import PasswordUnreadable
from transfers.services import AtSource
from transfers.source_studies import take_studies


class Study(NamedTuple):
    """One study of the input."""

    manifest: StudyManifest
    at_source: AtSource | None = None


class Input(NamedTuple):
    """All of it."""

    studies: Sequence[Study]
    skipped: Sequence[Skipped]
    left_out: int
    """How many instances or files could not be read and are part of no transfer."""


def read_manifest(paths: Sequence[str]) -> InputManifest:
    """Raises CommandError for a path that is not there."""
    try:
        with reading_bar(sys.stderr) as count:
            return read_input(paths, progress=count)
    except InputUnreadable as error:
        raise wrong_usage(str(error)) from error


def input_of_paths(paths: Sequence[str]) -> Input:
    """Raises CommandError for a path that is not there."""
    manifest = read_manifest(paths)
    return Input([Study(study) for study in manifest.studies], manifest.skipped, manifest.left_out)


def input_of_source(source: Source, studies: Sequence[str], stop: Event, *, waits_until_stable: bool) -> Input:
    """Raises CommandError for a study that is not there, or a source that cannot be asked."""
    try:
        found = list(take_studies(source, studies, stop, waits_until_stable=waits_until_stable))
    except (SourceStopped, RequestInterrupted):
        raise CommandError("Stopped before anything was sent.", returncode=ExitCode.INTERRUPTED) from None
    except (StudyNotAtSource, StudyAmbiguous, StudyNotStable, RequestError, PasswordUnreadable) as error:
        raise wrong_usage(f"{source}: {error}") from error
    skipped = [each for study in found for each in study.skipped]
    left_out = sum(not each.kind.is_harmless for each in skipped)
    return Input([Study(each.manifest, each.at_source) for each in found], skipped, left_out)
