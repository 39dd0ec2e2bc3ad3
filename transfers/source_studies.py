"""Studies of a source, taken to be sent: each with its manifest, as the source holds it at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event
from typing import NamedTuple

from audit.entries import Skipped, StudyManifest
from transfers.errors import StudyNotAtSource
from transfers.models import Source
from transfers.services import AtSource
from transfers.sources.orthanc_studies import (
    STABLE_WITHIN_SECONDS,
    find_study,
    take_manifest,
    wait_until_stable,
)


class TakenStudy(NamedTuple):
    """One study, and what is left out of it."""

    manifest: StudyManifest
    at_source: AtSource
    skipped: Sequence[Skipped]


def take_studies(
    source: Source,
    studies: Sequence[str],
    stop: Event,
    *,
    waits_until_stable: bool = False,
    within_seconds: float = STABLE_WITHIN_SECONDS,
) -> Iterator[TakenStudy]:
    """Each study that is named, by its Study Instance UID or by what the source calls it, once.

    Where they are to be stable first, all of them are before the first manifest is taken.

    Raises StudyNotAtSource, StudyAmbiguous, StudyNotStable, SourceStopped, RequestError, PasswordUnreadable.
    """
    endpoint = source.endpoint
    source_ids = list(dict.fromkeys(find_study(endpoint, study, stop) for study in studies))
    if waits_until_stable:
        for source_id in source_ids:
            wait_until_stable(endpoint, source_id, stop, within_seconds)
    for source_id in source_ids:
        held = take_manifest(endpoint, source_id, stop)
        if not held.manifest.entries:
            raise StudyNotAtSource("The source holds no instance of this study that can be sent.")
        yield TakenStudy(held.manifest, AtSource(source, source_id), held.skipped)
