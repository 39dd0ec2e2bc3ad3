"""Watches the changes of an archive that tells them (Orthanc) while a transfer runs, and for a while after it.

What is told of each StableStudy event: {"stored": instances of the manifest that were there, "of": all of them,
"complete": whether these are the same}.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread

from django.utils import timezone

from audit.observations import Occurrence
from transfers import queue
from transfers.endpoints import OrthancEndpoint
from transfers.errors import RequestError
from transfers.models import Transfer
from transfers.probes.stable_study import StableStudyWatch

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
STABLE_AGE = timedelta(seconds=60)
"""Orthanc's default; it does not tell how it is set."""
MARGIN = timedelta(seconds=15)
AT_ONCE = 20

TakeNews = Callable[[], Iterator[Occurrence]]


@contextmanager
def watched(transfer: Transfer, sop_instance_uids: frozenset[str]) -> Iterator[TakeNews]:
    """Watch in a thread as long as the block lasts; give what takes the events that were seen so far.

    Where the archive tells no changes, or cannot be asked, nothing is seen.
    """
    ended = Event()
    watch = _watch_of(transfer, ended)
    if watch is None:
        yield lambda: iter(())
        return
    watcher = _Watcher(watch, transfer.changes_since, sop_instance_uids, ended)
    watcher.start()
    try:
        yield watcher.take
    finally:
        watcher.end()
        _go_on_later(transfer, watcher.since)


def look_after_the_end(now: datetime) -> None:
    """Look once more at what ended lately: the event fires only when nothing came for a while."""
    ended = Transfer.objects.filter(changes_watched_until__isnull=False).select_related("destination", "audit")
    for transfer in ended.order_by("changes_watched_until")[:AT_ONCE]:
        watch, since = _watch_of(transfer, Event()), transfer.changes_since
        if watch is not None and since is not None:
            since = _look(transfer, watch, since)
        is_over = now >= (transfer.changes_watched_until or now)
        until = None if is_over or watch is None else transfer.changes_watched_until
        Transfer.objects.filter(pk=transfer.pk).update(changes_since=since, changes_watched_until=until)


def _look(transfer: Transfer, watch: StableStudyWatch, since: int) -> int:
    uids = frozenset(transfer.audit.instances.values_list("sop_instance_uid", flat=True))
    try:
        fired, since = watch.look(since, uids)
    except RequestError as error:
        logger.info("Changes could not be read", extra={"action": "changes_not_read", "code": error.code})
        return since
    for each in fired:
        seen = _occurrence(each.stored, len(uids))
        queue.record_event(transfer, seen.name, seen.at, **seen.detail)
    return since


def _watch_of(transfer: Transfer, stop: Event) -> StableStudyWatch | None:
    sides = [transfer.destination, *transfer.destination.ask_at.all()]
    endpoint = next((side.endpoint for side in sides if side.kind == "orthanc"), None)
    if not isinstance(endpoint, OrthancEndpoint):
        return None
    return StableStudyWatch(endpoint, transfer.study_instance_uid, stop)


def _go_on_later(transfer: Transfer, since: int | None) -> None:
    until = None if since is None else timezone.now() + STABLE_AGE + MARGIN
    transfer.changes_since, transfer.changes_watched_until = since, until
    Transfer.objects.filter(pk=transfer.pk).update(changes_since=since, changes_watched_until=until)


def _occurrence(stored: int, of: int) -> Occurrence:
    detail = {"stored": stored, "of": of, "complete": stored == of}
    return Occurrence("stable_study_fired", timezone.now(), detail)


class _Watcher(Thread):
    """Looks each second; never touches the database."""

    def __init__(
        self, watch: StableStudyWatch, since: int | None, sop_instance_uids: frozenset[str], ended: Event
    ) -> None:
        super().__init__(name="changes", daemon=True)
        self.since = since
        self._watch = watch
        self._uids = sop_instance_uids
        self._ended = ended
        self._news: SimpleQueue[Occurrence] = SimpleQueue()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
            except RequestError as error:
                logger.info("Changes could not be read", extra={"action": "changes_not_read", "code": error.code})
            self._ended.wait(LOOK_SECONDS)

    def take(self) -> Iterator[Occurrence]:
        while True:
            try:
                yield self._news.get_nowait()
            except Empty:
                return

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _look(self) -> None:
        if self.since is None:
            self.since = self._watch.newest_change()
            return
        fired, self.since = self._watch.look(self.since, self._uids)
        for each in fired:
            self._news.put(_occurrence(each.stored, len(self._uids)))
