"""SHA-256 taken beside the thread that sends: hashing and the socket both let other threads run meanwhile."""

from __future__ import annotations

import hashlib
from queue import SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple

WORTH_A_THREAD = 65_536
"""Fewer bytes are digested sooner than handed over."""


class _Work(NamedTuple):
    digest: Digest
    content: memoryview
    under_way: Lock


class Digester:
    """One worker thread, started when first needed. Close it: what was submitted is still digested."""

    def __init__(self) -> None:
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, work: _Work) -> None:
        """Have this digested after all that was submitted before. To be called by one thread only."""
        if self._thread is None:
            self._thread = Thread(target=self._digest, name="sha256", daemon=True)
            self._thread.start()
        self._work.put(work)

    def close(self) -> None:
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()

    def _digest(self) -> None:
        while work := self._work.get():
            work.digest.sha256.update(work.content)
            work.under_way.release()


class Digest:
    """The SHA-256 of what was added so far; one thread adds, any may ask."""

    def __init__(self, digester: Digester) -> None:
        self._digester = digester
        self._under_way: Lock | None = None
        """Held until what was added last is digested."""
        self.sha256 = hashlib.sha256()

    def add(self, content: memoryview) -> None:
        """Add content that stays as it is until `settle` has returned."""
        if len(content) < WORTH_A_THREAD:
            self.settle()
            self.sha256.update(content)
            return
        under_way = Lock()
        under_way.acquire()
        self._under_way = under_way
        self._digester.submit(_Work(self, content, under_way))

    def settle(self) -> None:
        """Wait until all that was added is digested."""
        if self._under_way is not None:
            with self._under_way:
                pass

    def hexdigest(self) -> str:
        self.settle()
        return self.sha256.hexdigest()
