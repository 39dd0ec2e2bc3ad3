"""Calls to a source, in a thread of their own, so that whoever follows a job is never kept waiting by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from transfers.endpoints import OrthancEndpoint
from transfers.wire.http import HttpSession

LOOK_SECONDS = 0.1
GRACE_SECONDS = 2.0
"""How long after a stop what is under way may take: a job has to be cancelled, and its end seen."""
_CONNECT_SECONDS = 3.0
"""At most: a connection that is being made cannot be ended from outside."""

_REST_SECONDS = 0.05

Result = TypeVar("Result")


class Calls:
    """One at a time. A stop leaves them some seconds, and then ends them with RequestInterrupted."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._stopped_at: float | None = None
        self._abandoned = Event()
        self._sessions: list[HttpSession] = []
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="orthanc-job")

    def session(self, endpoint: OrthancEndpoint) -> HttpSession:
        """Raises RequestTlsFailed where a file of the TLS settings cannot be used."""
        session = HttpSession(endpoint.hurried(connect_seconds=_CONNECT_SECONDS), self._abandoned)
        self._sessions.append(session)
        return session

    def run(self, call: Callable[[], Result]) -> Generator[None, None, Result]:
        """Yields None while it is under way; returns, or raises, what the call does."""
        future: Future[Result] = self._executor.submit(call)
        while not wait([future], LOOK_SECONDS).done:
            self.check_time()
            yield None
        return future.result()

    def pause(self, seconds: float) -> Generator[None, None, None]:
        """Yields None for so long, or until it is stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.wait(min(left, LOOK_SECONDS)):
            yield None

    def rest(self) -> Generator[None, None, None]:
        """A moment, whether it is stopped or not."""
        time.sleep(_REST_SECONDS)
        yield None

    def check_time(self) -> bool:
        """Whether it was stopped so long ago that nothing more is waited for; whatever is under way then ends."""
        if not self._stop.is_set():
            return False
        self._stopped_at = self._stopped_at or time.monotonic()
        if time.monotonic() - self._stopped_at > GRACE_SECONDS:
            self._abandoned.set()
        return self._abandoned.is_set()

    def close(self) -> None:
        """End what is under way, and the thread."""
        self._abandoned.set()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for session in self._sessions:
            session.close()
