"""Tells the workers that there is work, and the pages that something changed: at once, and perhaps never.

A message on the channel layer is a doorbell, not a ledger: whoever waits for it also looks by itself, so that one that
is lost costs a second and nothing else. Ringing never raises and never blocks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from threading import Lock
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

WORKER_CHANNEL = "transfer-worker"
"""A worker receives `{"type": "work.waiting"}` here."""
LIVE_GROUP = "live"
"""Every process that serves pages receives `{"type": "live.changed"}` in this group."""
ATTEMPTS = 3

_lock = Lock()
_loop: asyncio.AbstractEventLoop | None = None
"""The loop on which this process serves or works; where there is none, nobody of this process waits for a ring."""


def attach(loop: asyncio.AbstractEventLoop) -> None:
    """Ring through this loop from now on: an in-memory channel layer belongs to the loop that waits on it."""
    global _loop  # noqa: PLW0603  one process, one loop
    with _lock:
        _loop = loop


def ring_worker() -> None:
    """Once the transaction is committed, have a worker look for work."""
    transaction.on_commit(lambda: _ring(_to_worker), robust=True)


def ring_pages() -> None:
    """Have the processes that serve pages look for what changed."""
    _ring(_to_pages)


async def _to_worker() -> None:
    layer = get_channel_layer()
    if layer is not None:
        await layer.send(WORKER_CHANNEL, {"type": "work.waiting"})


async def _to_pages() -> None:
    layer = get_channel_layer()
    if layer is not None:
        await layer.group_send(LIVE_GROUP, {"type": "live.changed"})


def _ring(send: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with _lock:
        loop = _loop
    if loop is None:
        return
    ringing = _quietly(send)
    try:
        asyncio.run_coroutine_threadsafe(ringing, loop)
    except RuntimeError:  # this process ends, and its loop is closed
        ringing.close()


async def _quietly(send: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Tried again at once: of connections that were kept over an outage, each fails when it is first used."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await asyncio.wait_for(send(), timeout=5)
        except Exception:  # whatever a channel layer raises when it is away, or full
            extra = {"action": "doorbell_failed", "attempt": attempt}
            logger.debug("A doorbell could not be rung", extra=extra, exc_info=True)
        else:
            return
