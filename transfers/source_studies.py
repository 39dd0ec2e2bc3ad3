"""Studies of a source, taken to be sent: each with its manifest, as the source holds it at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import NamedTuple

from audit.entries import Skipped, StudyManifest
from transfers.errors import StudyAmbiguous, StudyNotAtSource, StudyNotStable
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
    named: dict[str, str] = {}
    for study in studies:
        with _naming(study, studies):
            named.setdefault(find_study(endpoint, study, stop), study)
    if waits_until_stable:
        for source_id, study in named.items():
            with _naming(study, studies):
                wait_until_stable(endpoint, source_id, stop, within_seconds)
    for source_id, study in named.items():
        with _naming(study, studies):
            taken = _take(source, source_id, stop)
        yield taken


def _take(source: Source, source_id: str, stop: Event) -> TakenStudy:
    held = take_manifest(source.endpoint, source_id, stop)
    if not held.manifest.entries:
        raise StudyNotAtSource("The source holds no instance of this study that can be sent.")
    return TakenStudy(held.manifest, AtSource(source, source_id), held.skipped)


@contextmanager
def _naming(study: str, among: Sequence[str]) -> Iterator[None]:
    """Say which study it is that cannot be taken, where it is one of several."""
    try:
        yield
    except (StudyNotAtSource, StudyAmbiguous, StudyNotStable) as error:
        if len(among) == 1:
            raise
        raise type(error)(f"{study}: {error} Nothing was sent of any of the {len(among)} studies.") from error
