"""How a process keeps what it has claimed: for 30 s at a time, and said again by a thread of its own."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from django.db import Error, OperationalError, connection

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
RENEWAL_SECONDS = 10.0
LOOK_SECONDS = 0.5
"""How often it is looked whether somebody wants an end of it, between renewals."""


class Lease:
    """Keeps what was claimed while the block runs; sets `lost` where it is another's, or nobody's, by now.

    Subclasses say what is held.
    """

    def __init__(self, name: str) -> None:
        self.lost = threading.Event()
        self._over = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._keep, name=f"lease-{name}", daemon=True)

    def look(self) -> bool:
        """Whether this process still holds it: one cheap query."""
        raise NotImplementedError

    def renew(self) -> bool:
        """Whether this process still holds it; if so, for another 30 s."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        said_at = time.monotonic()
        try:
            while not self._over.wait(min(LOOK_SECONDS, RENEWAL_SECONDS)):
                now = time.monotonic()
                is_due = now - said_at >= RENEWAL_SECONDS
                is_held = self._ask(is_due=is_due)
                if is_held and is_due:
                    said_at = now
                elif is_held is False or now - said_at > LEASE.total_seconds():
                    self.lost.set()
                    return
        finally:
            connection.close()

    def _ask(self, *, is_due: bool) -> bool | None:
        """None where the database is away: for a moment that costs nothing, since the lease outlives it."""
        try:
            is_held = self.renew() if is_due else self.look()
        except Error:
            if not self._is_away:
                logger.warning("A lease could not be looked after", extra={"action": "lease_unknown"}, exc_info=True)
            self._is_away = True
            connection.close()
            return None
        self._is_away = False
        return is_held


def this_process() -> str:
    """The name under which this process holds things: host, process namespace, process id."""
    return f"{socket.gethostname()}/{_process_namespace()}/{os.getpid()}"


def is_abandoned(worker: str, lease_until: datetime | None, now: datetime) -> bool:
    """Whether the lease has run out, or its holder was a process of this machine that has ended."""
    if lease_until is None or lease_until < now:
        return True
    host, _, rest = worker.partition("/")
    namespace, _, process_id = rest.partition("/")
    is_here = (host, namespace) == (socket.gethostname(), _process_namespace())
    return is_here and process_id.isdigit() and not _is_alive(int(process_id))


def is_lost_connection(error: Error) -> bool:
    """PostgreSQL went away and may be back in a moment: whoever held something need only let go of it.

    By then Django may have connected anew, so that only the error tells: its SQLSTATE (PostgreSQL, Appendix A), which
    is missing where the server had no time to say anything.
    """
    state = getattr(error.__cause__, "sqlstate", "")
    return isinstance(error, OperationalError) and (state is None or state.startswith(("08", "57P")))


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_namespace() -> str:
    """Process ids of two containers with one host name must not be taken for each other."""
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return "-"
