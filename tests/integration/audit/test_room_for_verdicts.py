"""What is found of instances is written beside them, on PostgreSQL, without any index."""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, open_audit
from audit.observations import EvidenceKind, Observation
from tests.manifests import study
from tests.settings import TEST_DATABASE

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(TEST_DATABASE != "postgresql", reason="SQLite changes rows where they are"),
]
INSTANCES = 500


class Changes(NamedTuple):
    rows: int
    without_index: int


def changes() -> Changes:
    """How often rows of instances were changed over this connection, and how often without writing an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'audit_instanceaudit'"
        )
        return Changes(*cursor.fetchone())


def assert_written_without_index(before: Changes) -> None:
    now = changes()
    assert (now.rows - before.rows, now.without_index - before.without_index) == (INSTANCES, INSTANCES)


def test_verdicts_are_written_without_any_index() -> None:
    audit = open_audit(study(INSTANCES), at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())
    before = changes()

    Ledger(audit).close()

    assert_written_without_index(before)


def test_digests_of_what_was_sent_are_written_without_any_index() -> None:
    manifest = study(INSTANCES)
    ledger = Ledger(open_audit(manifest, at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy()))
    before = changes()

    ledger.begin_round()
    for number, entry in enumerate(manifest.entries):
        digest = {"sha256": f"{number:064}"}
        ledger.record(Observation(entry.sop_instance_uid, EvidenceKind.SENT, timezone.now(), digest))
    ledger.flush()

    assert_written_without_index(before)
