"""Content: what a destination holds, read back or digested there, and compared with what was sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from audit.entries import ManifestEntry
from audit.observations import EvidenceKind, Observation, Occurrence
from audit.uids import UnsafeUid, uid_of
from transfers.endpoints import Endpoint
from transfers.probes.content_crew import Crew, Found, Job
from transfers.probes.content_judge import Finding
from transfers.probes.readers import reader_for
from transfers.probes.readers.base import Readability, ReadingContext
from transfers.sources.base import InstanceSource
from transfers.sources.files import LocalFiles
from transfers.stopping import AnyOf

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
_PAUSE_FACTOR = 2.0
_LOOK_SECONDS = 0.1
_UNSAFE = Finding(
    EvidenceKind.PROBE_FAILED, "Its UIDs have characters that must not be put into a question", {"code": "unsafe_uid"}
)


@dataclass(frozen=True, slots=True)
class ContentContext:
    """All that the content probe may know besides the entries."""

    endpoint: Endpoint
    digests: Mapping[str, str] = field(default_factory=dict)
    """SOP Instance UID → SHA-256 (hex) of the data set as it was sent; where there is none, the file is the measure."""
    keeps_bytes: bool = False
    """Whether the files were handed over as they are, so that the destination's own digests of them may be compared."""
    retry_seconds: float = 60.0
    """How long what could not be read back is tried again."""
    stop: Event = field(default_factory=Event)
    source: InstanceSource = field(default_factory=LocalFiles)
    """Where what was sent is read once more."""
    side_by_side: int = 4
    """How many instances are read back at the same time, each with at most 1 MB in memory and the rest on disk."""
    spool_folder: Path | None = None
    """Where temporary files go, which have no name; None: where the system keeps them."""


def can_read(entries: Sequence[ManifestEntry], context: ContentContext) -> Readability:
    """Whether and how the destination can be read, as far as it tells beforehand. Raises nothing for its faults."""
    return reader_for(context.endpoint).can_read(entries, _reading(context, context.stop))


def compare_content(
    entries: Sequence[ManifestEntry], context: ContentContext
) -> Iterator[Observation | Occurrence | None]:
    """Yield exactly one observation an entry: `identical`, `equivalent`, `different` or `probe-failed` with the reason.

    None at least every 0.2 s while nothing happens. Never raises for a fault of the destination or of our files;
    what may pass is asked again for as long as retries may take. Ends within a second after a stop; what was not
    compared by then is `probe-failed`. Closing the generator ends its threads.
    """
    comparing = _Comparing(context)
    try:
        yield from comparing.run(entries)
    finally:
        comparing.end()


class _Comparing:
    def __init__(self, context: ContentContext) -> None:
        self._context = context
        self._stop = AnyOf(context.stop)
        self._crew: Crew | None = None
        self._job = Job(
            reader_for(context.endpoint),
            _reading(context, self._stop),
            context.digests,
            context.keeps_bytes,
            context.source,
        )
        self._counts: Counter[str] = Counter()

    def run(self, entries: Sequence[ManifestEntry]) -> Iterator[Observation | Occurrence | None]:
        """Try, and try again what may pass; who was held back comes first then."""
        started_at = time.monotonic()
        yield _occurred("content_started", instances=len(entries), reader=self._job.reader.key)
        for entry in entries:
            if not _has_safe_uids(entry):
                yield self._observed(Found(entry, _UNSAFE, datetime.now(UTC)))
        entries = [entry for entry in entries if _has_safe_uids(entry)]
        pause_seconds, retry_until = _FIRST_PAUSE_SECONDS, 0.0
        while entries:
            unanswered: list[Found] = []
            yield from self._try(entries, unanswered)
            now = time.monotonic()
            retry_until = retry_until or now + self._context.retry_seconds
            if not unanswered or now >= retry_until or self._stop.is_set():
                yield from map(self._observed, unanswered)
                break
            yield from self._pause(min(max(pause_seconds, _asked_to_wait(unanswered)), retry_until - now))
            pause_seconds = min(_PAUSE_FACTOR * pause_seconds, _LONGEST_PAUSE_SECONDS)
            entries = [found.entry for found in sorted(unanswered, key=lambda found: found.was_asked)]
        seconds = round(time.monotonic() - started_at, 3)
        yield _occurred("content_finished", seconds=seconds, **self._counts)

    def end(self) -> None:
        self._stop.set()
        if self._crew is not None:
            self._crew.join()

    def _try(
        self, entries: Sequence[ManifestEntry], unanswered: list[Found]
    ) -> Iterator[Observation | Occurrence | None]:
        self._crew = Crew(entries, self._job, max(1, self._context.side_by_side))
        for report in self._crew.reports():
            if not isinstance(report, Found):
                yield report
            elif report.finding.may_pass:
                unanswered.append(report)
            else:
                yield self._observed(report)

    def _pause(self, seconds: float) -> Iterator[None]:
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            self._stop.wait(min(left, _LOOK_SECONDS))
            yield None

    def _observed(self, found: Found) -> Observation:
        finding = found.finding
        self._counts[finding.kind.replace("-", "_")] += 1
        detail: dict[str, Any] = {"reason": finding.reason, "reader": self._job.reader.key, **finding.detail}
        return Observation(found.entry.sop_instance_uid, finding.kind, found.at, detail)


def _asked_to_wait(unanswered: Sequence[Found]) -> float:
    """For how long a busy destination asked to be left alone."""
    errors = (found.finding.error for found in unanswered)
    return max((error.retry_after_seconds or 0.0 for error in errors if error), default=0.0)


def _has_safe_uids(entry: ManifestEntry) -> bool:
    """Whether its UIDs mean nothing else in a question."""
    uids = (entry.study_instance_uid, entry.series_instance_uid, entry.sop_instance_uid)
    try:
        return all(uid_of(uid.encode()) == uid for uid in uids)
    except UnsafeUid:
        return False


def _reading(context: ContentContext, stop: Event) -> ReadingContext:
    return ReadingContext(context.endpoint, stop, context.spool_folder)


def _occurred(name: str, **detail: Any) -> Occurrence:
    return Occurrence(name, datetime.now(UTC), detail)
