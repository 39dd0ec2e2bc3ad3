"""The database as the settings open it, on whichever of the two the run is about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from tests.settings import TEST_DATABASE


def asked(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db
def test_the_run_is_on_the_database_it_says() -> None:
    assert connection.vendor == TEST_DATABASE


@pytest.mark.django_db
@pytest.mark.skipif(TEST_DATABASE != "sqlite", reason="pragmas are SQLite's")
def test_sqlite_is_opened_to_last_and_to_wait() -> None:
    pragmas = {
        name: asked(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000, "foreign_keys": 1}


@pytest.mark.django_db(transaction=True)
def test_a_second_writer_waits_for_the_first() -> None:
    began = threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            Group.objects.create(name="first")
            began.set()
            time.sleep(0.3)

    thread = in_a_thread(write_slowly)
    assert began.wait(10)
    with transaction.atomic():
        Group.objects.count()
        Group.objects.create(name="second")
    thread.join()

    assert {"first", "second"} <= set(Group.objects.values_list("name", flat=True))
