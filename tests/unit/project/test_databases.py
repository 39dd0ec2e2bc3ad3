"""DATABASE_URL, read."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from project import databases


def test_without_a_url_the_database_is_a_file_in_the_data_folder() -> None:
    database = databases.chosen("", Path("/srv/tallyman"))

    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["NAME"] == "/srv/tallyman/tallyman.sqlite3"


def test_a_sqlite_url_is_opened_like_the_default_one() -> None:
    database = databases.chosen("sqlite:////srv/other.sqlite3", Path("/srv/tallyman"))

    assert database["NAME"] == "/srv/other.sqlite3"
    assert database["OPTIONS"] == databases.sqlite(Path("/srv/tallyman.sqlite3"))["OPTIONS"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_url_is_read_with_its_password_and_options(scheme: str) -> None:
    database = databases.from_url(f"{scheme}://tally:p%40ss@db.example:5433/transfers?sslmode=require")

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("tally", "p@ss")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 5433, "transfers")
    assert database["OPTIONS"]["sslmode"] == "require"


def test_a_connection_to_postgresql_is_kept_and_tried_before_it_is_used_again() -> None:
    database = databases.from_url("postgresql://tally@db.example/transfers")

    assert database["CONN_MAX_AGE"] == 60
    assert database["CONN_HEALTH_CHECKS"] is True
    assert database["OPTIONS"]["connect_timeout"] == 10


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://tally@db.example/transfers", id="another-database"),
        pytest.param("tallyman.sqlite3", id="no-url"),
        pytest.param("sqlite:///tallyman.sqlite3", id="a-relative-path"),
        pytest.param("sqlite://:memory:", id="in-memory"),
    ],
)
def test_what_is_no_database_of_ours_is_refused_at_once(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL must"):
        databases.from_url(url)
