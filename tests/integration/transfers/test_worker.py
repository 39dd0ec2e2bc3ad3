"""The worker in one process: what it takes, how much at once, what it outlives, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from audit.manifest import read_input
from project import channel_layers
from tests.commands import destination_for
from tests.datasets import write_study
from tests.fakes.acts import Answer
from tests.fakes.fixtures import MakeArchive
from tests.fakes.script import Script
from tests.integration.transfers.conftest import dead
from tests.peers.redis import Redis
from transfers import dispatcher, services, submissions, uploads, worker
from transfers.doorbell import ring_worker
from transfers.leases import LEASE
from transfers.models import Batch, Destination, Transfer
from transfers.states import HELD, State
from transfers.submissions import Submission
from transfers.worker import TransferWorker

pytestmark = pytest.mark.django_db(transaction=True)

Add = Callable[..., Transfer]


@pytest.fixture(autouse=True)
def _own_channel_layer(settings: Settings, tmp_path: Path) -> None:
    settings.CHANNEL_LAYERS = channel_layers.chosen("")
    settings.UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def through_redis(redis: Redis, settings: Settings) -> Redis:
    settings.CHANNEL_LAYERS = channel_layers.chosen(redis.url)
    return redis


@pytest.fixture
def never_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a doorbell makes it look."""
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 60.0)


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Queue a transfer of a new study for a worker."""

    def add(destination: Destination, instances: int = 2, **fields: object) -> Transfer:
        folder = tmp_path / f"study-{Transfer.objects.count()}"
        folder.mkdir()
        write_study(folder, instances, size_bytes=256)
        (study,) = read_input([folder]).studies
        transfer = services.create_transfer(study, destination=destination, method="c-store", verify="presence")
        Transfer.objects.filter(pk=transfer.pk).update(is_in_background=True, **fields)
        return transfer

    return add


@contextmanager
def working(concurrency: int = 2, layer: InMemoryChannelLayer | None = None) -> Iterator[None]:
    """A worker on an event loop of its own, until the block ends."""
    started = threading.Event()
    running: dict[str, Any] = {}

    async def work() -> None:
        running["worker"] = TransferWorker(layer, concurrency)
        running["loop"] = asyncio.get_running_loop()
        started.set()
        await running["worker"].arun()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    assert started.wait(5)
    try:
        yield
    finally:
        running["loop"].call_soon_threadsafe(running["worker"].stop)
        thread.join(12)
    assert not thread.is_alive()


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, list(Transfer.objects.values_list("state", "verdict"))
        time.sleep(0.02)


def all_finished() -> bool:
    return not Transfer.objects.exclude(state=State.FINISHED).exists()


def names_of_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


# What it takes


def test_what_waits_is_sent_each_once_and_no_more_at_a_time_than_it_may(add: Add, archive: MakeArchive) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.02)))
    destination = destination_for(peer)
    for _ in range(7):
        add(destination)
    at_once = []

    with working(concurrency=3):
        while not all_finished():
            at_once.append(Transfer.objects.filter(state__in=HELD).count())

    assert max(at_once) == 3
    assert set(Transfer.objects.values_list("verdict", flat=True)) == {"committed"}
    assert len(peer.log.requests) == len(set(peer.log.requests)) == 14


def test_a_doorbell_has_it_look_at_once(never_looks: None, add: Add, archive: MakeArchive) -> None:
    destination = destination_for(archive())

    with working():
        wait_until(lambda: "dispatcher" in names_of_threads())
        time.sleep(0.3)  # its first look is over
        add(destination)
        ring_worker()
        wait_until(all_finished, seconds=5)


def test_a_lost_doorbell_costs_a_second(add: Add, archive: MakeArchive) -> None:
    destination = destination_for(archive())

    with working():
        time.sleep(0.3)
        add(destination)
        wait_until(all_finished, seconds=5)


def test_a_folder_is_read_asked_about_started_and_sent(
    archive: MakeArchive, tmp_path: Path, settings: Settings
) -> None:
    settings.IMPORT_ROOTS = [str(tmp_path)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_study(tmp_path / name, 2)
    user = User.objects.create_user("operator")

    with working():
        batch = submissions.submit(Submission(destination_for(archive()), path=str(tmp_path), starts=False), by=user)
        wait_until(lambda: Batch.objects.get().state == "draft")
        drafts = list(Transfer.objects.values_list("state", flat=True))
        batch.refresh_from_db()
        submissions.start(batch)
        wait_until(all_finished)

    assert drafts == ["draft", "draft"]
    assert set(Transfer.objects.values_list("verdict", flat=True)) == {"committed"}


def test_what_a_dead_worker_left_is_taken_over_and_what_a_dead_command_left_is_interrupted(
    add: Add, archive: MakeArchive
) -> None:
    destination = destination_for(archive())
    until = timezone.now() + LEASE
    add(destination, state=State.SENDING, worker=dead(), lease_until=until)
    commands_own = add(destination, state=State.SENDING, worker=dead(), lease_until=until)
    Transfer.objects.filter(pk=commands_own.pk).update(is_in_background=False)

    with working():
        wait_until(lambda: set(Transfer.objects.values_list("state", flat=True)) == {"finished", "interrupted"})

    commands_own.refresh_from_db()
    assert commands_own.state == "interrupted"


def test_uploads_that_nobody_needs_are_removed(settings: Settings) -> None:
    upload = uploads.begin(User.objects.create_user("operator"), "study.zip", 10)
    type(upload).objects.update(changed_at=timezone.now() - uploads.UNUSED_FOR * 2)

    with working():
        wait_until(lambda: not uploads.path_of(upload).exists())


# What it outlives


def test_an_error_of_ours_fails_its_transfer_and_the_next_is_sent(
    add: Add, archive: MakeArchive, caplog: pytest.LogCaptureFixture
) -> None:
    destination = destination_for(archive())
    broken = add(destination, options={"no such option": 1})
    good = add(destination)

    with working(concurrency=1):
        wait_until(lambda: not Transfer.objects.exclude(state__in=["failed", "finished"]).exists())

    broken.refresh_from_db()
    good.refresh_from_db()
    assert (broken.state, good.state) == ("failed", "finished")
    assert [record.message for record in caplog.records].count("A transfer failed by an error of ours") == 1


def test_what_no_thread_could_be_begun_for_is_taken_again_once_its_lease_has_run_out(
    add: Add, archive: MakeArchive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = threading.Thread.start
    refused: list[str] = []

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("transfer-") and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    add(destination_for(archive()))

    with working(concurrency=1):
        wait_until(lambda: bool(refused))
        Transfer.objects.filter(state="claimed").update(lease_until=timezone.now() - LEASE)
        wait_until(all_finished, seconds=5)

    assert [record.message for record in caplog.records] == ["Looking for work failed by an error of ours"]


class Frail(InMemoryChannelLayer):
    """Ends whoever listens, as often as it is told to."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__()
        self.errors = list(errors)
        self.listened = 0

    async def receive(self, channel: str) -> Any:
        self.listened += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().receive(channel)


def test_a_listener_that_ends_in_any_way_listens_again_and_says_so_once(
    add: Add, archive: MakeArchive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    layer = Frail(ConnectionError("gone"), asyncio.CancelledError(), ConnectionError("gone"))

    with working(layer=layer):
        wait_until(lambda: layer.listened == 4)
        add(destination_for(archive()))
        wait_until(all_finished)

    assert [record.message for record in caplog.records] == ["A part of the worker ended; it is begun anew"]


def test_without_redis_work_goes_on_and_once_it_is_back_doorbells_ring_again(
    through_redis: Redis,
    add: Add,
    archive: MakeArchive,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    destination = destination_for(archive(Script(on_store=Answer(delay_seconds=0.1))), associations=1)

    with working():
        add(destination, instances=10)
        wait_until(lambda: Transfer.objects.filter(state="sending").exists())
        through_redis.kill()
        add(destination)
        ring_worker()
        wait_until(all_finished)
        through_redis.start()
        time.sleep(2)  # its listener tries again each second
        monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 60.0)
        time.sleep(1.5)  # the last of its own looks is over
        add(destination)
        ring_worker()
        wait_until(all_finished, seconds=5)

    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["A part of the worker ended; it is begun anew"]


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="a file is always there")
def test_a_database_that_drops_every_connection_costs_no_transfer(add: Add, archive: MakeArchive) -> None:
    destination = destination_for(archive(Script(on_store=Answer(delay_seconds=0.05))), associations=1)
    add(destination, instances=40)

    with working():
        for _ in range(5):
            wait_until(lambda: Transfer.objects.filter(state="sending").exists())
            time.sleep(0.3)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            # Where it could not even be put back, nothing but the clock says that its lease has run out.
            Transfer.objects.filter(state__in=HELD).update(lease_until=timezone.now() - LEASE)
        wait_until(all_finished, seconds=30)

    assert Transfer.objects.get().verdict == "committed"


# How it ends


def test_a_stopped_worker_hands_back_what_it_sends_and_takes_nothing_new(add: Add, archive: MakeArchive) -> None:
    peer = archive(Script(on_store=Answer(delay_seconds=0.05)))
    destination = destination_for(peer, associations=1)
    add(destination, instances=100)
    add(destination, instances=100)

    with working(concurrency=1):
        peer.wait_until(lambda peer: len(peer.log.answers) >= 5)
        begun = time.monotonic()

    assert time.monotonic() - begun < 5
    assert list(Transfer.objects.values_list("state", "worker")) == [("queued", "")] * 2
    assert len(peer.log.answers) < 100


def test_a_worker_that_has_nothing_to_do_ends_at_once() -> None:
    with working():
        time.sleep(0.2)
        begun = time.monotonic()

    assert time.monotonic() - begun < 1


def test_a_stopped_worker_leaves_no_thread_behind(add: Add, archive: MakeArchive) -> None:
    destination = destination_for(archive())

    with working():
        add(destination)
        wait_until(all_finished)

    ours = ("dispatcher", "housekeeping", "transfer-", "lease-")
    wait_until(lambda: not any(name.startswith(ours) for name in names_of_threads()), seconds=5)
