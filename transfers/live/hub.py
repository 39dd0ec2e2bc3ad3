"""One hub a process looks into the database for everybody who watches, and tells each change once.

It is woken by the doorbell of the channel layer, and looks by itself where that stays silent: what another process did
is told within a second or so, with or without Redis.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import connections

from transfers.live.bell import hear
from transfers.live.feeds import Feed, Subscription, Told, encode
from transfers.live.listing import WatchedList
from transfers.live.rows import read_transfers
from transfers.live.watched import LiveAudits, WatchedTransfer

logger = logging.getLogger(__name__)

BUSY_SECONDS = 0.5
"""Between two looks, where something is under way or the doorbell rings. Twice as often would take twice as much of the
senders' time: with twenty browsers, more than a tenth."""
QUIET_SECONDS = 1.0
LINGER_SECONDS = 30.0
"""For so long a feed goes on when nobody watches any more: whoever comes back misses nothing."""
BLIND_SECONDS = 5.0
"""When the database is away for longer, sockets are closed: nobody must take silence for "nothing changed"."""
RETRY_SECONDS = 1.0
GOING_AWAY, TRY_AGAIN_LATER = 1001, 1013
"""RFC 6455 7.4.1, and IANA's registry of close codes."""

_Result = TypeVar("_Result")


class _Task(NamedTuple):
    """What is to be read for one feed."""

    feed: Feed
    looks: bool
    newcomers: frozenset[Subscription]


class _Seen(NamedTuple):
    changed: Told | None
    snapshot: Told | None
    unchanged: Told | None


class Hub:
    """Runs on one event loop, from the first subscription until a while after the last one ended."""

    def __init__(self) -> None:
        self.is_over = False
        self._audits = LiveAudits()
        self._feeds: dict[UUID | None, Feed] = {}
        """By the transfer's id; the list has none."""
        self._thread = ThreadPoolExecutor(1, "live")
        self._wake = asyncio.Event()
        self._has_rung = False
        self._looked_at = float("-inf")
        self._blind_since: float | None = None
        self._running = asyncio.get_running_loop().create_task(self._run(), name="live-hub")

    def watch_transfer(self, public_id: UUID, since: int | None = None) -> Subscription:
        """Of a transfer that exists. `since`: the revision that the client has."""
        if public_id not in self._feeds:
            self._feeds[public_id] = Feed(WatchedTransfer(public_id, self._audits))
        return self._join(self._feeds[public_id], since)

    def watch_list(self) -> Subscription:
        """Its revisions are of this process: whoever comes back gets a new snapshot."""
        if None not in self._feeds:
            self._feeds[None] = Feed(WatchedList(self._audits))
        return self._join(self._feeds[None], None)

    async def end(self) -> None:
        """Send everybody away and stop."""
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    def _join(self, feed: Feed, since: int | None) -> Subscription:
        self._wake.set()
        return feed.join(since)

    def _ring(self) -> None:
        self._has_rung = True
        self._wake.set()

    async def _run(self) -> None:
        bell = asyncio.get_running_loop().create_task(hear(self._ring), name="live-doorbell")
        try:
            while self._feeds:
                await self._tell(looks=self._is_due())
                self._forget_the_left()
                await self._until_due()
        finally:
            self.is_over = True
            self._send_away(GOING_AWAY)
            await _end(bell)
            await self._in_thread(connections.close_all)
            self._thread.shutdown(wait=False)

    async def _until_due(self) -> None:
        """Until it is time to look again, or somebody has come."""
        while not self._is_due() and not any(feed.newcomers for feed in self._feeds.values()):
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._due_at() - time.monotonic()):
                    await self._wake.wait()

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due_at()

    def _due_at(self) -> float:
        is_busy = self._has_rung or any(feed.watched.is_busy for feed in self._feeds.values())
        return self._looked_at + (BUSY_SECONDS if is_busy else QUIET_SECONDS)

    async def _tell(self, *, looks: bool) -> None:
        """Look, and hand everybody what is new to them."""
        now = time.monotonic()
        tasks = [
            _Task(feed, feed.revision == 0 or (looks and feed.may_be_looked_at(now)), frozenset(feed.newcomers))
            for feed in self._feeds.values()
        ]
        if looks:
            self._looked_at = now
            self._has_rung = self._has_rung and not all(task.looks for task in tasks)
        try:
            seen = await self._in_thread(_look, tasks)
        except Exception as error:  # noqa: BLE001  above all a database that is away: it is looked for again
            await self._wait_blindly(error)
            return
        self._blind_since = None
        for task, (changed, snapshot, unchanged) in zip(tasks, seen, strict=True):
            if task.looks:
                task.feed.looked_at = now
            if changed is not None:
                task.feed.publish(changed)
            if snapshot is not None and unchanged is not None:
                task.feed.admit(task.newcomers, snapshot, unchanged)

    async def _wait_blindly(self, error: Exception) -> None:
        now = time.monotonic()
        if self._blind_since is None:
            self._blind_since = now
            logger.warning("Nothing can be told: the database is away", extra={"action": "live_blind"}, exc_info=error)
        elif now - self._blind_since > BLIND_SECONDS:
            self._send_away(TRY_AGAIN_LATER)
        await asyncio.sleep(RETRY_SECONDS)

    def _send_away(self, code: int) -> None:
        for feed in self._feeds.values():
            feed.close(code)

    def _forget_the_left(self) -> None:
        now = time.monotonic()
        left = [key for key, feed in self._feeds.items() if feed.left_at and now - feed.left_at > LINGER_SECONDS]
        for key in left:
            del self._feeds[key]

    async def _in_thread(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        """One thread of its own, so that everything that is watched is touched by one thread only."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


async def _end(task: asyncio.Task[None]) -> None:
    """A channel layer may turn a cancellation into an error of its own, which is then borne: so it is asked again."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)


def _look(tasks: Sequence[_Task]) -> list[_Seen]:
    """In the thread: read what has to be read, in as few queries as possible, and encode it."""
    try:
        looked_at = [task.feed.watched for task in tasks if task.looks]
        ids = [each.public_id for each in looked_at if isinstance(each, WatchedTransfer)]
        rows = {row.public_id: row for row in read_transfers(public_id__in=ids)} if ids else {}
        now = time.monotonic()
        seen = []
        for task in tasks:
            watched = task.feed.watched
            changed = watched.look(rows, now) if task.looks else None
            snapshot = watched.snapshot() if task.newcomers else None
            unchanged = watched.unchanged() if task.newcomers else None
            seen.append(_Seen(_encoded(changed), _encoded(snapshot), _encoded(unchanged)))
        return seen
    except BaseException:
        connections.close_all()  # the next look begins with another one
        raise


def _encoded(event: Mapping[str, Any] | None) -> Told | None:
    return None if event is None else encode(event)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of this event loop, started where there is none."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs or _hubs[loop].is_over:
        _hubs[loop] = Hub()
    return _hubs[loop]


async def end_hub() -> None:
    """When the process stops serving."""
    running = _hubs.pop(asyncio.get_running_loop(), None)
    if running is not None:
        await running.end()
