"""Writes many rows at once, in SQL: the ORM's objects and expressions cost ten times what the insert does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection

from audit.entries import StudyManifest
from audit.escaping import without_nul
from audit.judgements import Ground, InstanceVerdict, WasThereBefore
from audit.models import Audit


class EvidenceRow(NamedTuple):
    instance_id: int
    kind: str
    round: int
    at: datetime
    detail: Mapping[str, Any]


_MANIFEST_COLUMNS = (
    "position",
    "sop_instance_uid",
    "sop_class_uid",
    "series_instance_uid",
    "transfer_syntax_uid",
    "data_set_size",
    "path",
    "member",
    "data_set_offset",
    "modified_ns",
    "file_size",
    "notes",
    "is_conflicting",
)
_FOUND_COLUMNS = ("sha256", "was_there_before")
_OPEN_COLUMNS = ("verdict", "ground", "is_contradiction")
_OPEN = (InstanceVerdict.PENDING.value, Ground.NOT_ASKED.value, False)


def _insert(table: str, columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608


_INSERT_EVIDENCE = _insert("audit_evidence", EvidenceRow._fields)
_INSERT_INSTANCE = _insert("audit_instanceaudit", ("audit_id", *_MANIFEST_COLUMNS, *_FOUND_COLUMNS, *_OPEN_COLUMNS))
_COPIED = ", ".join((*_MANIFEST_COLUMNS, *_FOUND_COLUMNS))
_COPY_INSTANCES = (
    f"INSERT INTO audit_instanceaudit (audit_id, {_COPIED}, {', '.join(_OPEN_COLUMNS)}) "  # noqa: S608
    f"SELECT %s, {_COPIED}, %s, %s, %s FROM audit_instanceaudit WHERE audit_id = %s ORDER BY position"
)
_WRITE_DIGEST = "UPDATE audit_instanceaudit SET sha256 = %s WHERE id = %s"


def insert_instances(audit: Audit, study: StudyManifest) -> None:
    """A row for each entry of the manifest, in its order."""
    found = ("", WasThereBefore.UNKNOWN.value)
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT_INSTANCE,
            [
                (
                    audit.pk,
                    position,
                    entry.sop_instance_uid,
                    entry.sop_class_uid,
                    entry.series_instance_uid,
                    entry.transfer_syntax_uid,
                    entry.data_set_size,
                    entry.path,
                    entry.member,
                    entry.data_set_offset,
                    entry.modified_ns,
                    entry.file_size,
                    json.dumps(entry.notes),
                    entry.sop_instance_uid in study.conflicts,
                    *found,
                    *_OPEN,
                )
                for position, entry in enumerate(study.entries)
            ],
        )


def copy_instances(before: Audit, audit: Audit) -> None:
    """The same instances for an audit that continues: what was found stays, the verdicts are open again."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY_INSTANCES, (audit.pk, *_OPEN, before.pk))


def insert_evidence(rows: Iterable[EvidenceRow]) -> None:
    as_stored = _as_text if connection.vendor == "sqlite" else _as_it_is
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT_EVIDENCE,
            [(row.instance_id, row.kind, row.round, as_stored(row.at), _as_json(row.detail)) for row in rows],
        )


def _as_text(at: datetime) -> str:
    """As Django keeps instants in SQLite: UTC, without saying so."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _as_it_is(at: datetime) -> datetime:
    return at


_encode = json.JSONEncoder(check_circular=False).encode


def _as_json(detail: Mapping[str, Any]) -> str:
    """Nothing that a peer says may keep evidence from being written."""
    text = _encode(detail)
    return _encode(without_nul(dict(detail))) if "\\u0000" in text else text


def write_digests(digests: Mapping[int, str]) -> None:
    """The SHA-256 of what went out, by the id of the instance's row."""
    with connection.cursor() as cursor:
        cursor.executemany(_WRITE_DIGEST, [(sha256, instance_id) for instance_id, sha256 in digests.items()])
