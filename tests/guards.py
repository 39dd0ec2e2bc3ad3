"""Lifts the append-only guards around the emptying of a test database, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import TransactionTestCase

from audit.guards import guards_of


@pytest.fixture(autouse=True, scope="session")
def _guards_lifted_around_the_flush() -> Iterator[None]:
    """The flush at the end of a transactional test emits post_migrate, which makes the guards again."""
    empty = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def lift_and_empty(case: TransactionTestCase) -> Any:
        drop_guards()
        return empty(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lift_and_empty)
        yield


def drop_guards() -> None:
    with connection.cursor() as cursor:
        for guard in (guard for app in apps.get_app_configs() for guard in guards_of(app)):
            table = "" if connection.vendor == "sqlite" else f' ON "{guard.table}"'
            cursor.execute(f'DROP TRIGGER IF EXISTS "{guard.name}"{table}')
