"""What every test may ask for, and which tests are database tests."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.peers.fixtures", "tests.fakes.fixtures"]

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server", "admin_client", "admin_user"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches the database, before `-m database` is applied: nobody can forget to."""
    for item in items:
        asked_for = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or asked_for & DATABASE_FIXTURES:
            item.add_marker(pytest.mark.database)
