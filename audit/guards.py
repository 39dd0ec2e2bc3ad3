"""Database triggers that refuse what must never happen: evidence changed or deleted, a sealed audit changed.

They are made after every migrate rather than in a migration, since Django rebuilds a table on SQLite to alter it and
drops its triggers silently. `check_guards` names a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

ALWAYS = "1 = 1"


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses one operation on the rows of one table where a condition holds."""

    table: str
    operation: str
    """UPDATE or DELETE."""
    message: str
    condition: str = ALWAYS
    """SQL over OLD, the same on SQLite and PostgreSQL."""

    @property
    def name(self) -> str:
        return f"{self.table}_refuses_{self.operation.lower()}"

    def create_statements(self, vendor: str) -> Iterator[str]:
        if vendor == "sqlite":
            yield (
                f'CREATE TRIGGER IF NOT EXISTS "{self.name}" BEFORE {self.operation} ON "{self.table}" '
                f"WHEN {self.condition} BEGIN SELECT RAISE(ABORT, '{self.message}'); END"
            )
            return
        result = "NEW" if self.operation == "UPDATE" else "OLD"
        yield (
            f'CREATE OR REPLACE FUNCTION "{self.name}"() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN '
            f"IF {self.condition} THEN RAISE EXCEPTION '{self.message}' "
            f"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {result}; END $guard$"
        )
        yield (
            f'CREATE OR REPLACE TRIGGER "{self.name}" BEFORE {self.operation} ON "{self.table}" '
            f'FOR EACH ROW EXECUTE FUNCTION "{self.name}"()'
        )


def append_only(table: str, noun: str) -> tuple[Guard, ...]:
    """The guards of a table whose rows are written once."""
    return tuple(
        Guard(table, operation, f"{noun} is append-only: {operation} refused") for operation in ("UPDATE", "DELETE")
    )


_OF_SEALED_AUDIT = "EXISTS (SELECT 1 FROM audit_audit WHERE id = OLD.audit_id AND sealed_at IS NOT NULL)"

GUARDS: tuple[Guard, ...] = (
    *append_only("audit_evidence", "evidence"),
    *append_only("audit_link", "a link of the hash chain"),
    *append_only("audit_checkpoint", "a checkpoint"),
    *append_only("audit_checkpointhead", "what a checkpoint covers"),
    *(
        Guard(
            "audit_audit", operation, f"a sealed audit never changes: {operation} refused", "OLD.sealed_at IS NOT NULL"
        )
        for operation in ("UPDATE", "DELETE")
    ),
    *(
        Guard("audit_instanceaudit", operation, f"a sealed audit never changes: {operation} refused", _OF_SEALED_AUDIT)
        for operation in ("UPDATE", "DELETE")
    ),
)


def guards_of(app: AppConfig) -> tuple[Guard, ...]:
    """The guards that an app asks for by the attribute `guards` of its AppConfig."""
    return tuple(getattr(app, "guards", ()))


def create_guards(sender: AppConfig, using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """post_migrate receiver: make the app's guards where its tables exist."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for guard in guards_of(sender):
            if guard.table not in tables:
                continue
            for statement in guard.create_statements(connection.vendor):
                cursor.execute(statement)


def check_guards(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """System check: every guard of every installed app is in the database."""
    return [
        CheckWarning(
            f"The database lost its guard {guard.name}: rows of {guard.table} are not protected.",
            hint="Run `manage.py migrate`, which makes it again.",
            id="audit.W001",
        )
        for alias in databases or ()
        for guard in _missing(connections[alias])
    ]


def _missing(connection: BaseDatabaseWrapper) -> list[Guard]:
    tables = set(connection.introspection.table_names())
    existing = _trigger_names(connection)
    return [guard for guard in _all_guards() if guard.table in tables and guard.name not in existing]


def _all_guards() -> list[Guard]:
    return [guard for app in apps.get_app_configs() for guard in guards_of(app)]


def _trigger_names(connection: BaseDatabaseWrapper) -> set[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {name for (name,) in cursor.fetchall()}
