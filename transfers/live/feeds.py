"""Hands what was told to everybody who watches it. Everything here belongs to the event loop."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from transfers.live.rows import TransferRow

KEPT_SECONDS = 30.0
"""For so long what was told is kept, for whoever lost the connection."""
BACKLOG_MAXIMUM = 32
"""Messages that one socket may lag behind before it is given a new snapshot instead: eight seconds."""


class Watched(Protocol):
    """What is watched. Its methods are called from the thread that reads the database."""

    @property
    def pace_seconds(self) -> float:
        """It is not looked at more often."""

    @property
    def is_busy(self) -> bool:
        """Whether something will happen soon."""

    def look(self, rows: Mapping[UUID, TransferRow], now: float) -> Mapping[str, Any] | None: ...

    def snapshot(self) -> Mapping[str, Any]: ...

    def unchanged(self) -> Mapping[str, Any]: ...


class Told(NamedTuple):
    """One message, encoded once for all."""

    revision: int
    previous: int
    text: str


def encode(event: Mapping[str, Any]) -> Told:
    text = json.dumps(event, separators=(",", ":"))
    return Told(event["revision"], event.get("previous", event["revision"]), text)


class SocketClosed(Exception):
    """Nothing more is told to this socket; it is to be closed with the code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Subscription:
    """What one socket is still to be sent."""

    def __init__(self, feed: Feed, since: int | None) -> None:
        self.since = since
        """The revision that the client has from an earlier socket."""
        self._feed = feed
        self._backlog: deque[str] = deque()
        self._code: int | None = None
        self._waiting = asyncio.Event()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> str:
        """The next message, once there is one. Raises SocketClosed."""
        while not self._backlog:
            if self._code is not None:
                raise SocketClosed(self._code)
            self._waiting.clear()
            await self._waiting.wait()
        return self._backlog.popleft()

    @property
    def revision(self) -> int:
        """Of what was told last."""
        return self._feed.revision

    def offer(self, text: str) -> None:
        """Whoever does not keep up loses what waits, and gets a new snapshot."""
        if len(self._backlog) >= BACKLOG_MAXIMUM:
            self._backlog.clear()
            self.since = None
            self._feed.wants_snapshot(self)
            return
        self._backlog.append(text)
        self._waiting.set()

    def close(self, code: int) -> None:
        self._code = code
        self._waiting.set()

    def end(self) -> None:
        """The socket is gone."""
        self._feed.leave(self)


class Feed:
    """Everybody who watches the same."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.revision = 0
        self.watchers: set[Subscription] = set()
        self.newcomers: set[Subscription] = set()
        """Those who wait for a snapshot."""
        self.looked_at = float("-inf")
        self.left_at: float | None = None
        """Since when nobody watches."""
        self._told: deque[tuple[float, Told]] = deque()

    def may_be_looked_at(self, now: float) -> bool:
        return now - self.looked_at >= self.watched.pace_seconds

    def join(self, since: int | None) -> Subscription:
        subscription = Subscription(self, since)
        self.newcomers.add(subscription)
        self.left_at = None
        return subscription

    def leave(self, subscription: Subscription) -> None:
        self.watchers.discard(subscription)
        self.newcomers.discard(subscription)
        if not (self.watchers or self.newcomers) and self.left_at is None:
            self.left_at = asyncio.get_running_loop().time()

    def wants_snapshot(self, subscription: Subscription) -> None:
        self.watchers.discard(subscription)
        self.newcomers.add(subscription)

    def publish(self, told: Told) -> None:
        """Tell everybody who has a snapshot."""
        now = asyncio.get_running_loop().time()
        self.revision = told.revision
        self._told.append((now, told))
        while self._told[0][0] < now - KEPT_SECONDS:
            self._told.popleft()
        for subscription in list(self.watchers):
            subscription.offer(told.text)

    def admit(self, newcomers: Iterable[Subscription], snapshot: Told, unchanged: Told) -> None:
        """Give those who wait what they missed, if all of it is still there, or else the snapshot."""
        self.revision = snapshot.revision
        for subscription in self.newcomers.intersection(newcomers):
            self.newcomers.discard(subscription)
            self.watchers.add(subscription)
            for told in self._missed(subscription.since, unchanged) or [snapshot]:
                subscription.offer(told.text)

    def _missed(self, since: int | None, unchanged: Told) -> list[Told]:
        if since is None:
            return []
        if since == self.revision:
            return [unchanged]
        missed = [told for _, told in self._told if told.revision > since]
        has_all = bool(missed) and missed[0].previous <= since and missed[-1].revision == self.revision
        return missed if has_all and len(missed) < BACKLOG_MAXIMUM else []

    def close(self, code: int) -> None:
        """Send everybody away."""
        for subscription in [*self.watchers, *self.newcomers]:
            subscription.close(code)
