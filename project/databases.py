"""How Tallyman opens its database: SQLite in the data folder, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SQLITE = "django.db.backends.sqlite3"
SCHEMES = {"sqlite", "postgres", "postgresql"}

SQLITE_OPTIONS = {
    # A transaction that will write says so when it begins: one that upgrades halfway cannot wait and fails at once.
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    # FULL: what was committed survives a power cut. An instance's row is promised to be there before its first byte.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}


def chosen(url: str, data_folder: Path) -> dict[str, Any]:
    """The setting for the URL; without one, SQLite in the data folder."""
    return from_url(url) if url else sqlite(data_folder / "tallyman.sqlite3")


def from_url(url: str) -> dict[str, Any]:
    """Read `sqlite:////absolute/path` or `postgresql://user:password@host:port/name`; other databases are refused."""
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES:
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql:// or sqlite:////.")
    parsed: dict[str, Any] = environ.Env.db_url_config(url)
    return sqlite(Path(parsed["NAME"])) if parsed["ENGINE"] == SQLITE else postgresql(parsed)


def sqlite(path: Path) -> dict[str, Any]:
    if not path.is_absolute():
        raise ImproperlyConfigured("DATABASE_URL must give an absolute path, with four slashes: sqlite:////path.")
    return {"ENGINE": SQLITE, "NAME": str(path), "OPTIONS": SQLITE_OPTIONS}


def postgresql(parsed: dict[str, Any]) -> dict[str, Any]:
    """What the URL says, with connections that are kept for a minute and tried before they are used again."""
    options = {"connect_timeout": 10} | parsed.get("OPTIONS", {})
    return {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | parsed | {"OPTIONS": options}
