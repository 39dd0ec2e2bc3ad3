"""The Channels worker: a message on its channel is a doorbell, at which the dispatcher looks for work.

It outlives the channel layer: while Redis is away the dispatcher goes on looking each second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

from channels.consumer import AsyncConsumer
from channels.layers import BaseChannelLayer, get_channel_layer
from channels.routing import ChannelNameRouter
from channels.worker import Worker
from django.conf import settings

from transfers.dispatcher import STOP_SECONDS, Dispatcher
from transfers.doorbell import WORKER_CHANNEL, attach

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Before what ended by itself is begun anew."""
SAME_OUTAGE_SECONDS = 10.0
"""Who fails again within this time was never back."""


class Doorbell(AsyncConsumer):
    """Has the dispatcher look for work, and does nothing else: Channels hands over one message after the other."""

    channel_layer_alias = "none"
    """No channel of its own, on which it would wait besides, and with which it would fail."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    async def work_waiting(self, _message: Mapping[str, Any]) -> None:
        self._ring()


class TransferWorker(Worker):
    """Runs transfers, and reads batches, until it is told to `stop`."""

    def __init__(self, channel_layer: BaseChannelLayer | None = None, concurrency: int | None = None) -> None:
        self._dispatcher = Dispatcher(concurrency or settings.WORKER_CONCURRENCY)
        self._stopped = asyncio.Event()
        bell = Doorbell.as_asgi(ring=self._dispatcher.ring)
        layer = channel_layer or get_channel_layer()
        assert layer is not None, "CHANNEL_LAYERS names none"
        super().__init__(ChannelNameRouter({WORKER_CHANNEL: bell}), [WORKER_CHANNEL], layer)

    def stop(self) -> None:
        """From the event loop: take nothing new and hand back what runs; `arun` returns once that is done."""
        self._dispatcher.stop()
        self._stopped.set()

    async def arun(self) -> None:
        """Work until stopped."""
        attach(asyncio.get_running_loop())
        parts = [self._start(part) for part in (self._dispatch, self.handle, self.application_checker)]
        try:
            await self._stopped.wait()
            await asyncio.wait(parts[:1], timeout=STOP_SECONDS + 1)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def handle(self) -> None:
        """Listen; raises whatever the channel layer raises when it is away."""
        await self.listener(WORKER_CHANNEL)

    async def application_exception(self, exception: BaseException, _details: Mapping[str, Any]) -> None:
        logger.error("A doorbell failed", extra={"action": "doorbell_failed"}, exc_info=exception)

    async def _dispatch(self) -> None:
        await in_thread(self._dispatcher.run, "dispatcher")

    def _start(self, part: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        return asyncio.create_task(keep_running(part, until=self._stopped.is_set))


async def keep_running(part: Callable[[], Coroutine[Any, Any, None]], *, until: Callable[[], bool]) -> None:
    """Begin it anew whenever it ends, with a line in the log for each outage."""
    ended_at = -SAME_OUTAGE_SECONDS
    while True:
        task = asyncio.create_task(part())
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if until():
            return
        if time.monotonic() - ended_at > SAME_OUTAGE_SECONDS:
            error = None if task.cancelled() else task.exception()
            extra = {"action": "worker_restarts", "part": part.__name__}
            logger.warning("A part of the worker ended; it is begun anew", extra=extra, exc_info=error)
        ended_at = time.monotonic()
        await asyncio.sleep(RETRY_SECONDS)


async def in_thread(run: Callable[[], None], name: str) -> None:
    """Run it in a thread of its own that keeps no process from ending."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def target() -> None:
        try:
            run()
        finally:
            with suppress(RuntimeError):  # nobody waits any more, and the loop is closed
                loop.call_soon_threadsafe(ended.set)

    Thread(target=target, name=name, daemon=True).start()
    await ended.wait()
