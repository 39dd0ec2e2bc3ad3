"""What every test may ask for, and which tests are database tests."""

from __future__ import annotations

import pytest
from django.conf import settings

from project import databases
from tests.settings import TEST_DATABASE

pytest_plugins = ["tests.guards", "tests.pynetdicom_faults", "tests.peers.fixtures", "tests.fakes.fixtures"]

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server", "admin_client", "admin_user"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what touches the database, before `-m database` is applied: nobody can forget to."""
    for item in items:
        asked_for = set(getattr(item, "fixturenames", ()))
        if item.get_closest_marker("django_db") or asked_for & DATABASE_FIXTURES:
            item.add_marker(pytest.mark.database)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """On PostgreSQL, start the cluster that this run's test database is made in."""
    if TEST_DATABASE == "postgresql":
        cluster = databases.from_url(request.getfixturevalue("postgresql_url"))
        settings.DATABASES["default"].update({key: cluster[key] for key in ("HOST", "PORT", "USER", "NAME")})
