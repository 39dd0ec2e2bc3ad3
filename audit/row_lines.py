"""The rows of an audit as lines that the digests of its chain are taken of, read in chunks of any audit's size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from audit.canonical import canonical, canonical_instant
from audit.observations import EvidenceKind

CHUNK = 2_000

MANIFEST_COLUMNS = (
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
SOURCE_COLUMNS = ("source_id", "file_md5")
"""Younger than the chain: they are part of a line only where there is anything in them."""
_JUDGED_COLUMNS = ("sha256", "was_there_before", "verdict", "ground", "is_contradiction")


def _in_order(*columns: str) -> str:
    return (
        f"SELECT id, position, {', '.join(columns)} FROM audit_instanceaudit "  # noqa: S608  columns of ours
        f"WHERE audit_id = %s AND position > %s ORDER BY position LIMIT {CHUNK}"
    )


_SELECT_JUDGED = _in_order(*_JUDGED_COLUMNS)
_SELECT_ALL = _in_order(*MANIFEST_COLUMNS[1:], *SOURCE_COLUMNS, *_JUDGED_COLUMNS)
_SELECT_FIRST = _in_order(*MANIFEST_COLUMNS[1:], "''", "''", *_JUDGED_COLUMNS)


class InstanceLines(NamedTuple):
    """One instance of an audit, as it is in the database now."""

    pk: int
    position: int
    manifest: str
    """What the opening covers."""
    judged: str
    """What the sealing covers."""
    sha256: str
    was_there_before: str


def instance_lines(audit_pk: int, *, knows_sources: bool = True) -> Iterator[InstanceLines]:
    """In the order of the manifest. `knows_sources`: whether the database has the columns that came later."""
    count = 1 + len(MANIFEST_COLUMNS)
    for row in _chunked(_SELECT_ALL if knows_sources else _SELECT_FIRST, audit_pk):
        *manifest, notes, is_conflicting = row[:count]
        source, judged = row[count : count + 2], row[count + 2 :]
        yield InstanceLines(
            row[0],
            row[1],
            manifest_line(*manifest, _value(notes), bool(is_conflicting), source=source),
            _judged_line(row[0], *judged),
            judged[0],
            judged[1],
        )


def manifest_line(*values: Any, source: tuple[str, ...] = ("", "")) -> str:
    """The id of the row, its `MANIFEST_COLUMNS`, and its `SOURCE_COLUMNS` where they say anything."""
    return canonical((*values, *source) if any(source) else values)


def judged_lines(audit_pk: int) -> Iterator[str]:
    """In the order of the manifest."""
    return (_judged_line(pk, *judged) for pk, _, *judged in _chunked(_SELECT_JUDGED, audit_pk))


def _judged_line(pk: int, sha256: str, before: str, *judged: Any) -> str:
    """None of the words needs escaping, and what is put in their place makes another line all the same."""
    verdict, ground, is_contradiction = judged
    return f'[{pk},"{sha256}","{before}","{verdict}","{ground}",{int(is_contradiction)}]'


def _chunked(statement: str, audit_pk: int) -> Iterator[tuple[Any, ...]]:
    last = -1
    while True:
        rows = _rows(statement, audit_pk, last)
        yield from rows
        if len(rows) < CHUNK:
            return
        last = rows[-1][1]


def evidence_line(pk: int, instance_pk: int, kind: str, of_round: int, at: str, detail: str) -> str:  # noqa: PLR0917
    """One row of evidence; `at` and `detail` as `audit.canonical` spells them.

    This is done for every row that is written, so nothing is encoded twice: no kind needs escaping.
    """
    return f'[{pk},{instance_pk},"{kind}",{of_round},"{at}",{detail}]'


class EvidenceLine(NamedTuple):
    """One row of evidence, as it is in the database now."""

    pk: int
    instance_pk: int
    line: str
    sent_sha256: str
    """The digest that it carries of what was sent, or nothing."""


# The sum keeps the database from looking through all evidence of these instances for every few rows.
_EVIDENCE = (
    "SELECT id, instance_id, kind, round, {at}, detail FROM audit_evidence "
    "WHERE id BETWEEN %s AND %s AND instance_id + 0 BETWEEN %s AND %s ORDER BY id"
)


def evidence_lines(first: int, last: int, instances: range) -> Iterator[EvidenceLine]:
    """The rows with ids from first to last about instances whose ids lie in the range, which may be of other audits.

    Whatever somebody has put there becomes a line, which then is another one than was written.
    """
    statement = _EVIDENCE.format(at="CAST(at AS text)" if connection.vendor == "sqlite" else "at")
    bounds = (instances.start, instances.stop - 1)
    for pk, instance_pk, kind, of_round, at, detail in _rows(statement, first, last, *bounds):
        value = _value(detail)
        line = evidence_line(pk, instance_pk, kind, of_round, _instant(at), canonical(value))
        yield EvidenceLine(pk, instance_pk, line, _sent_sha256(value) if kind == EvidenceKind.SENT else "")


def _sent_sha256(detail: Any) -> str:
    return str(detail.get("sha256") or "") if isinstance(detail, dict) else ""


def evidence_ids(audit_pk: int) -> list[int]:
    """Of all evidence of an audit, ascending."""
    return [pk for (pk,) in _rows(f"SELECT evidence.id {_OF_AUDIT} ORDER BY evidence.id", audit_pk)]


def evidence_count(audit_pk: int) -> int:
    ((count,),) = _rows(f"SELECT COUNT(*) {_OF_AUDIT}", audit_pk)
    return int(count)


def newest_evidence() -> int:
    """The highest id of any evidence; 0: there is none."""
    ((newest,),) = _rows("SELECT MAX(id) FROM audit_evidence")
    return int(newest or 0)


_OF_AUDIT = (
    "FROM audit_instanceaudit instance JOIN audit_evidence evidence ON evidence.instance_id = instance.id "
    "WHERE instance.audit_id = %s"
)


def _instant(at: datetime | str | None) -> str:
    if isinstance(at, datetime):
        return canonical_instant(at)
    if at is not None and len(at) == LONG_INSTANT:
        return at
    try:
        return canonical_instant(datetime.fromisoformat(at or ""))
    except ValueError:
        return str(at)


LONG_INSTANT = len("2026-01-05 10:00:00.000000")


def _value(detail: Any) -> Any:
    """Of a JSON column: SQLite keeps text."""
    if not isinstance(detail, str):
        return detail
    try:
        return json.loads(detail)
    except ValueError:
        return detail


def _rows(statement: str, *parameters: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
