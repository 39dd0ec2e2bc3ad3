"""What other processes and threads do is told too: at once where the doorbell rings, and soon where it does not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import connection
from pytest_django import Settings

from project.channel_layers import chosen
from tests.integration.transfers.live.conftest import Open, Socket, address_of, in_thread
from tests.peers.redis import Redis
from transfers import doorbell, services
from transfers.live import bell, hub
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[4]
NEVER_SECONDS = 1_000.0
RETRY = "from transfers import services; from transfers.models import Transfer; services.retry(Transfer.objects.get())"

Create = Callable[..., Transfer]


@pytest.fixture
def ended(create: Create) -> Transfer:
    """Cancelled before anything was sent: nothing happens to it by itself."""
    transfer = create(worker="")
    services.cancel(transfer)
    return transfer


def retry_in_another_process() -> None:
    """Without any doorbell: an in-memory channel layer does not reach beyond its process."""
    database = connection.settings_dict
    address = f"{database['USER']}@{database['HOST']}:{database['PORT']}/" if database["HOST"] else "/"
    scheme = "postgresql" if connection.vendor == "postgresql" else "sqlite"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"{scheme}://{address}{database['NAME']}",
    }
    command = [sys.executable, "-c", f"import django; django.setup(); {RETRY}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


async def test_what_another_process_did_is_told_within_two_seconds(open_socket: Open, ended: Transfer) -> None:
    sockets = await open_socket(address_of(ended)), await open_socket("/ws/transfers/")
    for socket in sockets:
        await socket.event()

    await in_thread(retry_in_another_process)
    done_at = time.monotonic()
    told = [await socket.event() for socket in sockets]

    assert time.monotonic() - done_at < 2
    assert told[0]["state"] == told[1]["transfers"][0]["state"] == "queued"


@pytest.fixture
def looking_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself: only the doorbell makes the hub look again."""
    monkeypatch.setattr(hub, "QUIET_SECONDS", NEVER_SECONDS)


@pytest.fixture
def on_redis(settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The doorbell rings through it."""
    monkeypatch.setattr(bell, "RETRY_SECONDS", 0.1)
    settings.CHANNEL_LAYERS = chosen(redis.url)
    return redis


async def ring() -> None:
    """As another process does it."""
    layer = get_channel_layer()
    assert layer is not None
    await layer.group_send(doorbell.LIVE_GROUP, {"type": "live.changed"})


async def is_told_when_rung(socket: Socket, transfer: Transfer) -> bool:
    await socket.event()
    await asyncio.sleep(0.5)  # by then the hub hears the doorbell
    await in_thread(services.retry, transfer)
    was_silent = await socket.is_silent_for(0.5)
    await ring()
    return was_silent and (await socket.event())["state"] == "queued"


@pytest.mark.usefixtures("looking_never")
async def test_the_doorbell_makes_the_hub_look_at_once(open_socket: Open, ended: Transfer) -> None:
    socket = await open_socket(address_of(ended))

    assert await is_told_when_rung(socket, ended)


@pytest.mark.usefixtures("looking_never", "on_redis")
async def test_so_it_does_through_redis(open_socket: Open, ended: Transfer) -> None:
    socket = await open_socket(address_of(ended))

    assert await is_told_when_rung(socket, ended)


@pytest.mark.usefixtures("looking_never")
async def test_a_thread_of_the_same_process_rings_it_too(open_socket: Open, ended: Transfer) -> None:
    doorbell.attach(asyncio.get_running_loop())
    socket = await open_socket(address_of(ended))
    await socket.event()
    await asyncio.sleep(0.2)

    await in_thread(services.retry, ended)
    await in_thread(doorbell.ring_pages)

    assert (await socket.event())["state"] == "queued"


async def test_a_lost_redis_ends_no_socket_and_keeps_nothing_from_being_told(
    open_socket: Open, ended: Transfer, on_redis: Redis
) -> None:
    socket = await open_socket(address_of(ended))
    await socket.event()

    await in_thread(on_redis.kill)
    await in_thread(services.retry, ended)
    without = await socket.event()
    newcomer = await open_socket("/ws/transfers/")
    snapshot = await newcomer.event()

    assert without["state"] == "queued"
    assert snapshot["transfers"][0]["state"] == "queued"


async def test_once_redis_is_back_the_doorbell_is_heard_again(
    open_socket: Open, ended: Transfer, on_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await open_socket(address_of(ended))
    await in_thread(on_redis.kill)
    await asyncio.sleep(0.3)
    await in_thread(on_redis.start)
    await asyncio.sleep(0.5)
    monkeypatch.setattr(hub, "QUIET_SECONDS", NEVER_SECONDS)

    assert await is_told_when_rung(socket, ended)


def rename(table: str, to: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {to}")


async def test_a_database_that_stays_away_closes_the_sockets_and_is_looked_for_again(
    open_socket: Open, ended: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BLIND_SECONDS", 0.1)
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.1)
    socket = await open_socket(address_of(ended))
    await socket.event()

    await in_thread(rename, "transfers_transfer", "away")
    try:
        code = await socket.close_code()
    finally:
        await in_thread(rename, "away", "transfers_transfer")
    again = await open_socket(address_of(ended))

    assert code == 1013
    assert (await again.event())["type"] == "transfer.snapshot"


async def test_the_hub_ends_some_time_after_the_last_has_left(
    open_socket: Open, ended: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LINGER_SECONDS", 0.1)
    socket = await open_socket(address_of(ended))
    await socket.event()
    running = hub.hub()

    await socket.leave()
    await asyncio.wait_for(asyncio.shield(running._running), 5)
    again = await open_socket(address_of(ended))

    assert running.is_over
    assert (await again.event())["type"] == "transfer.snapshot"


class LosesCancellations(InMemoryChannelLayer):
    """As the one of Redis may, once: an assertion of its own comes in the place of the cancellation."""

    has_lost = False

    async def receive(self, channel: str) -> dict[str, object]:
        try:
            return dict(await super().receive(channel))
        except asyncio.CancelledError:
            if LosesCancellations.has_lost:
                raise
            LosesCancellations.has_lost = True
            raise AssertionError from None


async def test_the_hub_ends_although_the_channel_layer_loses_the_word(
    open_socket: Open, ended: Transfer, settings: Settings
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.LosesCancellations"}}
    socket = await open_socket(address_of(ended))
    await socket.event()

    async with asyncio.timeout(10):
        await hub.end_hub()

    assert LosesCancellations.has_lost


async def test_everybody_is_sent_away_when_the_process_ends(open_socket: Open, ended: Transfer) -> None:
    socket = await open_socket(address_of(ended))
    await socket.event()

    await hub.end_hub()

    assert await socket.close_code() == 1001
