"""Handing what was told to everybody: who comes back, and who does not keep up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from transfers.live import feeds
from transfers.live.feeds import BACKLOG_MAXIMUM, Feed, SocketClosed, Subscription, encode


class Nothing:
    """What is watched is never asked here."""

    is_busy = False
    pace_seconds = 0.0

    def look(self, *_: object) -> None: ...

    def snapshot(self) -> dict[str, Any]:
        return {}

    def unchanged(self) -> dict[str, Any]:
        return {}


def told(feed: Feed, subscription: Subscription) -> list[str]:
    """What waits for the socket, shortened to what matters here."""
    waiting = [json.loads(text) for text in subscription._backlog]
    subscription._backlog.clear()
    return [f"{each['type']} {each['revision']}" for each in waiting]


def feed_at(revision: int) -> Feed:
    feed = Feed(Nothing())
    feed.revision = revision
    return feed


def change(feed: Feed, revision: int) -> None:
    feed.publish(encode({"type": "changed", "revision": revision, "previous": feed.revision}))


def admit(feed: Feed) -> None:
    """As the hub does at its next look."""
    now = feed.revision
    snapshot = encode({"type": "snapshot", "revision": now})
    feed.admit(set(feed.newcomers), snapshot, encode({"type": "changed", "revision": now, "previous": now}))


async def test_a_newcomer_gets_the_snapshot_first_and_then_the_changes() -> None:
    feed = feed_at(3)
    subscription = feed.join(None)

    change(feed, 4)
    admit(feed)
    change(feed, 5)

    assert told(feed, subscription) == ["snapshot 4", "changed 5"]


async def test_who_comes_back_gets_what_was_missed() -> None:
    feed = feed_at(3)
    for revision in (5, 6, 9):
        change(feed, revision)

    subscription = feed.join(5)
    admit(feed)

    assert told(feed, subscription) == ["changed 6", "changed 9"]


async def test_who_comes_back_and_missed_nothing_is_told_so() -> None:
    feed = feed_at(3)

    subscription = feed.join(3)
    admit(feed)

    assert told(feed, subscription) == ["changed 3"]


@pytest.mark.parametrize("since", [2, 12], ids=["too old", "from the future"])
async def test_who_comes_back_with_what_is_not_known_gets_a_snapshot(since: int) -> None:
    feed = feed_at(3)
    change(feed, 9)

    subscription = feed.join(since)
    admit(feed)

    assert told(feed, subscription) == ["snapshot 9"]


async def test_what_was_told_long_ago_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "KEPT_SECONDS", 0.01)
    feed = feed_at(3)
    change(feed, 4)
    await asyncio.sleep(0.02)
    change(feed, 5)

    subscription = feed.join(3)
    admit(feed)

    assert told(feed, subscription) == ["snapshot 5"]


async def test_who_does_not_keep_up_gets_a_new_snapshot_instead_of_the_backlog() -> None:
    feed = feed_at(0)
    slow, quick = feed.join(None), feed.join(None)
    admit(feed)

    for revision in range(1, BACKLOG_MAXIMUM + 10):
        change(feed, revision)
        assert told(feed, quick)[-1] == f"changed {revision}"
    admit(feed)

    assert told(feed, slow) == [f"snapshot {BACKLOG_MAXIMUM + 9}"]


async def test_a_closed_socket_is_told_what_came_before_and_then_the_code() -> None:
    feed = feed_at(1)
    subscription = feed.join(None)
    admit(feed)

    feed.close(1013)

    assert json.loads(await anext(subscription))["type"] == "snapshot"
    with pytest.raises(SocketClosed) as closed:
        await anext(subscription)
    assert closed.value.code == 1013


async def test_whoever_waits_is_woken_by_the_next_change() -> None:
    feed = feed_at(1)
    subscription = feed.join(None)
    waiting = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)

    admit(feed)

    assert json.loads(await asyncio.wait_for(waiting, 1))["type"] == "snapshot"


async def test_a_feed_knows_when_the_last_one_left() -> None:
    feed = feed_at(1)
    one, other = feed.join(None), feed.join(None)
    admit(feed)

    one.end()
    still_watched = feed.left_at is None
    other.end()
    left = feed.left_at is not None
    feed.join(None)

    assert (still_watched, left, feed.left_at) == (True, True, None)
