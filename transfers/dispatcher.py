"""Looks for work, and runs a bounded number of transfers, and batches to be read, side by side in threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from django.db import Error, close_old_connections, connections
from django.utils import timezone

from audit.checkpoints import write_checkpoints
from transfers.batch_queue import claim_next_batch, settle_batches
from transfers.batch_reader import read_batch
from transfers.changes import look_after_the_end
from transfers.commitments import weigh_what_is_left
from transfers.doorbell import ring_pages
from transfers.leases import this_process
from transfers.models import Batch, Transfer
from transfers.progress import Progress
from transfers.queue import TransferIsHeld, claim_next, release_abandoned
from transfers.reverification import take_up_what_is_due
from transfers.runner import run_transfer
from transfers.states import State
from transfers.uploads import remove_stale

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 60.0
CHANGES_SECONDS = 5.0
STOP_SECONDS = 9.0
"""For what runs to be handed back; what still runs then is taken over once this process has ended."""
PAGES_SECONDS = 0.25


class Dispatcher:
    """Takes what waits, in a thread of the caller's (`run`), until `stop`. The other methods are for any thread."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._jobs: dict[tuple[type[Batch | Transfer], int], _Job] = {}
        self._lock = Lock()
        self._bell = Event()
        self._stopping = Event()
        self._pages = _PagesBell()
        self._database = _Outage("The worker cannot reach the database; it goes on looking", "database_away")
        self._chores = (
            _Chore("housekeeping", HOUSEKEEPING_SECONDS, _keep_house),
            _Chore("changes", CHANGES_SECONDS, _look_at_changes),
        )

    def ring(self) -> None:
        """Have it look for work at once."""
        self._bell.set()

    def stop(self) -> None:
        """Take nothing new, and hand back what runs."""
        with self._lock:
            self._stopping.set()
            for job in self._jobs.values():
                job.halt.set()
        self._bell.set()

    def run(self) -> None:
        """Look for work at each ring and each second; returns once it was stopped and everything is handed back."""
        try:
            while not self._stopping.is_set():
                self._bell.clear()
                self._look()
                self._bell.wait(LOOK_SECONDS)
            self._wait_for_jobs()
        finally:
            connections.close_all()

    def _look(self) -> None:
        """Never raises: what goes wrong now may go well in a second."""
        try:
            close_old_connections()
            for chore in self._chores:
                chore.do_if_due()
            settle_batches()
            weigh_what_is_left(timezone.now())
            while self._take_one():
                pass
        except Error as error:
            self._database.begins(error)
            connections.close_all()
        except Exception:
            logger.exception("Looking for work failed by an error of ours", extra={"action": "look_failed"})
        else:
            self._database.is_over()

    def _take_one(self) -> bool:
        with self._lock:
            if self._stopping.is_set() or len(self._jobs) >= self._concurrency:
                return False
            batches, transfers = ([pk for of, pk in self._jobs if of is kind] for kind in (Batch, Transfer))
        # What was just submitted comes first: reading it is short, and shows whoever submitted it what becomes of it.
        if batch := claim_next_batch(this_process(), batches):
            self._start(batch, lambda halt: read_batch(batch, stop=halt))
        elif transfer := claim_next(this_process(), transfers):
            self._start(
                transfer,
                lambda halt: run_transfer(transfer, stop=halt, watch=self._pages.ring, halted_as=State.QUEUED),
            )
        else:
            return False
        return True

    def _start(self, claimed: Batch | Transfer, work: Callable[[Event], None]) -> None:
        """Claimed in the moment in which the worker was stopped, it is begun all the same, and so handed back."""
        job = _Job(claimed, work, self._ended)
        with self._lock:
            self._jobs[type(claimed), claimed.pk] = job
            if self._stopping.is_set():
                job.halt.set()
        try:
            job.start()
        except RuntimeError:  # no thread to be had: what it claimed is taken again once the lease has run out
            self._ended(job)
            raise

    def _ended(self, job: _Job) -> None:
        with self._lock:
            del self._jobs[type(job.claimed), job.claimed.pk]
        self.ring()

    def _wait_for_jobs(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.join(max(0.0, until - time.monotonic()))
        if left := sum(job.is_alive() for job in jobs):
            logger.warning(
                "Not everything could be handed back in time; it is taken over once this process has ended",
                extra={"action": "not_handed_back", "jobs": left},
            )


class _Job(Thread):
    """One transfer that is run, or batch that is read; ends soon after `halt` is set."""

    def __init__(self, claimed: Batch | Transfer, work: Callable[[Event], None], ended: Callable[[_Job], None]) -> None:
        super().__init__(name=f"{type(claimed).__name__.lower()}-{claimed.pk}", daemon=True)
        self.claimed = claimed
        self.halt = Event()
        self._work, self._ended = work, ended

    def run(self) -> None:
        try:
            self._work(self.halt)
        except TransferIsHeld:
            logger.info("A transfer was taken over by another process", extra={"action": "taken_over"})
        except Error:
            logger.exception("The database failed while a transfer ran", extra={"action": "database_failed"})
        except Exception:
            logger.debug("A job failed", extra={"action": "job_failed"}, exc_info=True)
        finally:
            try:
                connections.close_all()
            finally:
                self._ended(self)


class _Chore:
    """Something to be done again and again, in a thread of its own: deleting files, or asking archives, takes long."""

    def __init__(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        self._name, self._seconds, self._work = name, seconds, work
        self._begun_at: float | None = None
        self._thread: Thread | None = None

    def do_if_due(self) -> None:
        now = time.monotonic()
        if self._begun_at is not None and now - self._begun_at < self._seconds:
            return
        if self._thread is None or not self._thread.is_alive():
            self._begun_at = now
            self._thread = Thread(target=self._do, name=self._name, daemon=True)
            self._thread.start()

    def _do(self) -> None:
        try:
            self._work()
        except Exception:
            logger.exception(
                "Something that is done again and again failed; it is tried again soon",
                extra={"action": "chore_failed", "chore": self._name},
            )
        finally:
            connections.close_all()


class _PagesBell:
    """Tells the pages of progress, but not more often than they can show it; state changes ring by themselves."""

    def __init__(self) -> None:
        self._rung_at = 0.0

    def ring(self, _progress: Progress) -> None:
        now = time.monotonic()
        if now - self._rung_at >= PAGES_SECONDS:
            self._rung_at = now
            ring_pages()


class _Outage:
    """Something that is away for a while, and is logged once for each time."""

    def __init__(self, message: str, action: str) -> None:
        self._message, self._action = message, action
        self._lasts = False

    def begins(self, error: Exception) -> None:
        if not self._lasts:
            logger.warning(self._message, extra={"action": self._action}, exc_info=error)
        self._lasts = True

    def is_over(self) -> None:
        self._lasts = False


def _keep_house() -> None:
    now = timezone.now()
    release_abandoned()
    remove_stale(now)
    write_checkpoints(now)
    take_up_what_is_due(now)


def _look_at_changes() -> None:
    look_after_the_end(timezone.now())
