"""Doorbells ring on the loop that waits for them, and trouble nobody where there is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import transaction
from pytest_django import Settings

from project import channel_layers
from tests.peers.process import free_port
from transfers import doorbell
from transfers.doorbell import LIVE_GROUP, WORKER_CHANNEL, attach, ring_pages, ring_worker


@pytest.fixture(autouse=True)
def _nobody_waits(settings: Settings) -> Iterator[None]:
    settings.CHANNEL_LAYERS = channel_layers.chosen("")
    doorbell._loop = None
    yield
    doorbell._loop = None


@contextmanager
def a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """That runs in another thread, as a worker's does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def next_message(channel: str) -> Any:
    layer = get_channel_layer()
    assert layer is not None
    return await asyncio.wait_for(layer.receive(channel), 5)


async def has_message(channel: str) -> bool:
    layer = get_channel_layer()
    assert layer is not None
    try:
        await asyncio.wait_for(layer.receive(channel), 0.2)
    except TimeoutError:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_told_once_what_it_shall_find_is_committed() -> None:
    with a_loop() as loop:
        attach(loop)
        with transaction.atomic():
            ring_worker()
            rang_before = asyncio.run_coroutine_threadsafe(has_message(WORKER_CHANNEL), loop).result()

        message = asyncio.run_coroutine_threadsafe(next_message(WORKER_CHANNEL), loop).result()

    assert not rang_before
    assert message == {"type": "work.waiting"}


def test_the_pages_are_told_as_a_group() -> None:
    async def listen() -> None:
        layer = get_channel_layer()
        assert layer is not None
        await layer.group_add(LIVE_GROUP, "page")

    with a_loop() as loop:
        attach(loop)
        asyncio.run_coroutine_threadsafe(listen(), loop).result()
        ring_pages()
        message = asyncio.run_coroutine_threadsafe(next_message("page"), loop).result()

    assert message == {"type": "live.changed"}


def test_where_no_loop_waits_ringing_does_nothing() -> None:
    ring_pages()


def test_ringing_a_process_that_ends_does_nothing() -> None:
    with a_loop() as loop:
        attach(loop)

    ring_pages()


def test_a_channel_layer_that_is_away_neither_blocks_nor_raises(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CHANNEL_LAYERS = channel_layers.chosen(f"redis://127.0.0.1:{free_port()}/0")

    with a_loop() as loop:
        attach(loop)
        ring_pages()
        asyncio.run_coroutine_threadsafe(doorbell._quietly(doorbell._to_pages), loop).result(10)

    assert caplog.records == []
