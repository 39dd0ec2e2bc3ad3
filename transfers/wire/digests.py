"""SHA-256 taken beside the thread that sends: hashing and the socket both let other threads run meanwhile."""

from __future__ import annotations

import hashlib
from queue import SimpleQueue
from threading import Thread

WORTH_A_THREAD = 65_536
"""Fewer bytes are digested sooner than handed over."""


class Digest:
    """The SHA-256 of what was added so far. What is added must stay as it is until `settle` returns."""

    def __init__(self, digester: Digester) -> None:
        self._digester = digester
        self._ticket = 0
        self.sha256 = hashlib.sha256()

    def add(self, content: memoryview) -> None:
        if len(content) < WORTH_A_THREAD:
            self.settle()
            self.sha256.update(content)
        else:
            self._ticket = self._digester.submit(self, content)

    def settle(self) -> None:
        """Wait until all that was added is digested."""
        self._digester.wait_for(self._ticket)

    def hexdigest(self) -> str:
        self.settle()
        return self.sha256.hexdigest()


class Digester:
    """One worker thread, started when first needed. Used by one thread."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Digest, memoryview] | None] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._submitted = 0
        self._finished = 0
        self._thread: Thread | None = None

    def close(self) -> None:
        """End the worker."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()

    def submit(self, digest: Digest, content: memoryview) -> int:
        """Have the content digested after all that was submitted before; returns the ticket to wait for."""
        if self._thread is None:
            self._thread = Thread(target=self._digest, name="sha256", daemon=True)
            self._thread.start()
        self._work.put((digest, content))
        self._submitted += 1
        return self._submitted

    def wait_for(self, ticket: int) -> None:
        while self._finished < ticket:
            self._done.get()
            self._finished += 1

    def _digest(self) -> None:
        while work := self._work.get():
            digest, content = work
            digest.sha256.update(content)
            self._done.put(None)
