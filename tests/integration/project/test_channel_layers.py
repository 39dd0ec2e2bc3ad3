"""The channel layer through a real Redis."""

from __future__ import annotations

import asyncio

import pytest
from channels.layers import get_channel_layer
from pytest_django import Settings

from project import channel_layers

IDLE_SECONDS = 7.0
"""More than the five for which Redis is asked to wait at a time."""


async def test_whoever_waits_for_a_message_that_does_not_come_goes_on_waiting(
    redis_url: str, settings: Settings
) -> None:
    settings.CHANNEL_LAYERS = channel_layers.chosen(redis_url)
    layer = get_channel_layer()
    assert layer is not None

    with pytest.raises(asyncio.TimeoutError):  # ours, not one that Redis' client has of its own
        await asyncio.wait_for(layer.receive("idle"), IDLE_SECONDS)
