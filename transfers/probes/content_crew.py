"""The threads that read back side by side: each with a session of its own, one portion after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import NamedTuple, TypeAlias

from audit.entries import ManifestEntry
from audit.observations import Occurrence
from transfers.errors import RetrievalFailed, TransferError, TransferStopped
from transfers.probes.content_judge import ContentJudge, Finding, failed, worst_of
from transfers.probes.content_queue import ContentQueue, Portion, portions_of
from transfers.probes.readers.base import Outcome, Reader, ReadingContext, Session, Unreadable
from transfers.probes.sent_files import SentFiles
from transfers.sources.base import InstanceSource

_LOOK_SECONDS = 0.1


class Found(NamedTuple):
    """What was found about one entry."""

    entry: ManifestEntry
    finding: Finding
    at: datetime
    was_asked: bool = True
    """Whether the destination was asked for it, or held back because others had failed."""


Report: TypeAlias = Found | Occurrence


class Job(NamedTuple):
    """What the threads of a crew share."""

    reader: Reader
    reading: ReadingContext
    digests: Mapping[str, str]
    """SOP Instance UID → SHA-256 of the data set as it was sent."""
    keeps_bytes: bool
    """Whether the destination has files byte for byte as they were here, so that its digests of them tell something."""
    source: InstanceSource
    """Where what was sent is read once more."""

    @property
    def stop(self) -> Event:
        return self.reading.stop


class Crew:
    """Reads entries back once, over at most so many sessions side by side."""

    def __init__(self, entries: Sequence[ManifestEntry], job: Job, side_by_side: int) -> None:
        portions = list(portions_of(entries, job.reader.most_at_once, side_by_side))
        count = min(side_by_side, len(portions))
        self._queue = ContentQueue(portions, sessions=count)
        self._stop = job.stop
        self._reports: SimpleQueue[Report | None] = SimpleQueue()
        """None: a thread has ended."""
        self._hands = [_Hand(job, entries, self._queue, self._reports) for _ in range(count)]

    def reports(self) -> Iterator[Report | None]:
        """Start, and yield what is found about each entry as it is found; None while nothing happens.

        Raises an error of ours that a thread ended with.
        """
        for hand in self._hands:
            hand.start()
        running = len(self._hands)
        while running:
            try:
                report = self._reports.get(timeout=_LOOK_SECONDS)
            except Empty:
                yield None
                continue
            if report is None:
                running -= 1
            else:
                yield report
        for hand in self._hands:
            if hand.error is not None:
                raise hand.error
        yield from self._leftovers()

    def join(self) -> None:
        """Wait for the threads, which a stop ends soon."""
        for hand in self._hands:
            if hand.ident is not None:
                hand.join()

    def _leftovers(self) -> Iterator[Found]:
        error = TransferStopped() if self._stop.is_set() else self._queue.barrier or RetrievalFailed()
        for entry in self._queue.take_rest():
            yield Found(entry, failed(error), datetime.now(UTC), was_asked=False)


class _Hand(Thread):
    """One of the threads."""

    def __init__(
        self,
        job: Job,
        entries: Sequence[ManifestEntry],
        queue: ContentQueue,
        reports: SimpleQueue[Report | None],
    ) -> None:
        super().__init__(name="content", daemon=True)
        self._job = job
        self._entries = entries
        self._queue = queue
        self._reports = reports
        self.error: BaseException | None = None
        """An error of ours, never the destination's."""

    def run(self) -> None:
        job = self._job
        try:
            with SentFiles(job.source, job.stop, job.reading.spool_folder) as files:
                reading = replace(job.reading, digests=files if job.keeps_bytes else None)
                judge = ContentJudge(files, job.digests, job.stop)
                with job.reader.session(self._entries, reading) as session:
                    self._work(session, judge)
        except BaseException as error:  # noqa: BLE001  # handed to the thread that reads the reports
            self.error = error
            job.stop.set()
        finally:
            self._reports.put(None)

    def _work(self, session: Session, judge: ContentJudge) -> None:
        try:
            self._read_all(session, judge)
        finally:
            self._tell_occurrences(session)
            if session.tally.unasked:
                self._reports.put(
                    Occurrence("unasked_instances", datetime.now(UTC), {"instances": session.tally.unasked})
                )

    def _read_all(self, session: Session, judge: ContentJudge) -> None:
        error: TransferError | None = None
        try:
            if first := self._queue.peek():
                session.open(first)
            while not self._job.stop.is_set() and (portion := self._queue.take()):
                self._read(session, judge, portion)
                self._tell_occurrences(session)
        except TransferError as fault:
            error = fault
        finally:
            self._queue.session_ended(error)

    def _read(self, session: Session, judge: ContentJudge, portion: Portion) -> None:
        """Raises TransferError where the session cannot go on; what it did not read is given back then."""
        findings: dict[str, Finding] = {}
        try:
            for entry, outcome in session.read(portion):
                uid = entry.sop_instance_uid
                findings[uid] = worst_of(findings.get(uid), judge.judge(entry, outcome))
                self._note(outcome)
                if self._job.stop.is_set() or self._queue.barrier is not None:
                    break
        finally:
            at = datetime.now(UTC)
            for entry in portion:
                if finding := findings.get(entry.sop_instance_uid):
                    self._reports.put(Found(entry, finding, at))
            self._queue.give_back([entry for entry in portion if entry.sop_instance_uid not in findings])

    def _note(self, outcome: Outcome) -> None:
        if isinstance(outcome, Unreadable) and outcome.is_general:
            self._queue.lost(outcome.error)
        else:
            self._queue.answered()

    def _tell_occurrences(self, session: Session) -> None:
        occurrences, session.tally.occurrences = session.tally.occurrences, []
        for occurrence in occurrences:
            self._reports.put(occurrence)
