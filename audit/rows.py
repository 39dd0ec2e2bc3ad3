"""Writes many rows at once, in SQL: the ORM's objects and expressions cost ten times what the insert does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper

from audit.canonical import LinesDigest, canonical, canonical_instant
from audit.entries import StudyManifest
from audit.escaping import without_nul
from audit.judgements import Ground, InstanceVerdict, WasThereBefore
from audit.models import Audit
from audit.row_lines import MANIFEST_COLUMNS, SOURCE_COLUMNS, evidence_line, manifest_line
from audit.runs import runs_of


class EvidenceRow(NamedTuple):
    instance_id: int
    kind: str
    round: int
    at: datetime
    detail: Mapping[str, Any]


_FOUND_COLUMNS = ("sha256", "was_there_before")
_OPEN_COLUMNS = ("verdict", "ground", "is_contradiction")
_OPEN = (InstanceVerdict.PENDING.value, Ground.NOT_ASKED.value, False)


def _insert(table: str, columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608


_INSERT_EVIDENCE = _insert("audit_evidence", ("id", *EvidenceRow._fields))
_INSERT_INSTANCE = _insert(
    "audit_instanceaudit", ("audit_id", "id", *MANIFEST_COLUMNS, *SOURCE_COLUMNS, *_FOUND_COLUMNS, *_OPEN_COLUMNS)
)
_COPIED = ", ".join((*MANIFEST_COLUMNS, *SOURCE_COLUMNS, *_FOUND_COLUMNS))
_COPY_INSTANCES = (
    f"INSERT INTO audit_instanceaudit (audit_id, {_COPIED}, {', '.join(_OPEN_COLUMNS)}) "  # noqa: S608
    f"SELECT %s, {_COPIED}, %s, %s, %s FROM audit_instanceaudit WHERE audit_id = %s ORDER BY position"
)
_WRITE_DIGEST = "UPDATE audit_instanceaudit SET sha256 = %s WHERE id = %s"


def insert_instances(audit: Audit, study: StudyManifest) -> str:
    """A row for each entry of the manifest, in its order; returns the digest of their lines (`audit.row_lines`)."""
    digest = LinesDigest()
    found = ("", WasThereBefore.UNKNOWN.value)
    values = []
    with connection.cursor() as cursor:
        pks = _next_ids(cursor, "audit_instanceaudit", len(study.entries))
        for position, (pk, entry) in enumerate(zip(pks, study.entries, strict=True)):
            row = (
                pk,
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
            )
            is_conflicting = entry.sop_instance_uid in study.conflicts
            source = (entry.source_id, entry.file_md5)
            digest.add([manifest_line(*row, entry.notes, is_conflicting, source=source)])
            values.append((audit.pk, *row, json.dumps(entry.notes), is_conflicting, *source, *found, *_OPEN))
        cursor.executemany(_INSERT_INSTANCE, values)
    return digest.hexdigest()


def copy_instances(before: Audit, audit: Audit) -> None:
    """The same instances for an audit that continues: what was found stays, the verdicts are open again."""
    with connection.cursor() as cursor:
        cursor.execute(_COPY_INSTANCES, (audit.pk, *_OPEN, before.pk))


class Batch(NamedTuple):
    """Evidence that was written at once."""

    runs: list[list[int]]
    """The ids of its rows: see `audit.runs`."""
    sha256: str
    """Of its lines: see `audit.row_lines`."""


def insert_evidence(rows: Sequence[EvidenceRow]) -> Batch:
    """Write them, for whoever holds the audit's row: so the ids of its evidence ascend in the order of its links."""
    is_text = connection.vendor == "sqlite"
    values, lines = [], []
    with connection.cursor() as cursor:
        pks = _next_ids(cursor, "audit_evidence", len(rows))
        for pk, (instance_pk, kind, of_round, at, detail) in zip(pks, rows, strict=True):
            instant, text = canonical_instant(at), _as_json(detail)
            lines.append(evidence_line(pk, instance_pk, kind, of_round, instant, text))
            values.append((pk, instance_pk, kind, of_round, instant if is_text else at, text))
        cursor.executemany(_INSERT_EVIDENCE, values)
    return Batch(runs_of(pks), LinesDigest(lines).hexdigest())


def _next_ids(cursor: CursorWrapper, table: str, count: int) -> Sequence[int]:
    """Ids for rows that are about to be written; on SQLite nobody else writes until the transaction ends."""
    if connection.vendor == "sqlite":
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
        return range(last + 1, last + 1 + count)
    cursor.execute(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
        [table, count],
    )
    return sorted(pk for (pk,) in cursor.fetchall())


def _as_json(detail: Mapping[str, Any]) -> str:
    """Nothing that a peer says may keep evidence from being written."""
    text = canonical(detail)
    return canonical(without_nul(dict(detail))) if "\\u0000" in text else text


def write_digests(digests: Mapping[int, str]) -> None:
    """The SHA-256 of what went out, by the id of the instance's row."""
    with connection.cursor() as cursor:
        cursor.executemany(_WRITE_DIGEST, [(sha256, instance_id) for instance_id, sha256 in digests.items()])
