"""Hears the doorbell that other processes, or this one, ring over the channel layer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from channels.layers import BaseChannelLayer, get_channel_layer

from transfers.doorbell import LIVE_GROUP

logger = logging.getLogger(__name__)

REJOIN_SECONDS = 600.0
"""So often the group is joined anew: a channel layer forgets its members after a day."""
RETRY_SECONDS = 2.0
LEAVE_SECONDS = 1.0


async def hear(ring: Callable[[], None]) -> None:
    """Call `ring` at every ring, until cancelled. While the channel layer is away it is tried again, quietly."""
    layer = get_channel_layer()
    is_away = False
    while layer is not None:
        try:
            async with asyncio.timeout(REJOIN_SECONDS) as patience:
                await _hear(layer, ring)
        except Exception as error:  # noqa: BLE001  whatever a channel layer raises when it is away
            if not is_away and not patience.expired():
                logger.warning(
                    "The channel layer is away: changes are looked for meanwhile",
                    extra={"action": "doorbell_away", "error": type(error).__name__},
                )
            is_away = not patience.expired()
            await asyncio.sleep(RETRY_SECONDS)


async def _hear(layer: BaseChannelLayer, ring: Callable[[], None]) -> None:
    channel = await layer.new_channel()
    await layer.group_add(LIVE_GROUP, channel)
    ring()  # whatever was rung before we could hear it
    try:
        while True:
            await layer.receive(channel)
            ring()
    finally:
        with suppress(Exception):
            await asyncio.wait_for(layer.group_discard(LIVE_GROUP, channel), LEAVE_SECONDS)
