"""The migration that gives older audits their first link."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from audit.ledger_walk import LedgerWalk
from audit.models import Audit
from tests.guards import drop_guards

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
BEFORE = ("audit", "0002_revision_and_tally")
COLUMNS = {"sop_class_uid": "1.2", "series_instance_uid": "2.25.0", "transfer_syntax_uid": "1.2.3"}


@pytest.fixture
def older() -> Iterator[None]:
    """The database as it was before there was a hash chain; afterwards it is up to date again."""
    drop_guards()
    MigrationExecutor(connection).migrate([BEFORE])
    yield
    call_command("migrate", verbosity=0)


def write_audit(number: int, *, is_sealed: bool) -> None:
    apps = MigrationExecutor(connection).loader.project_state([BEFORE]).apps
    audit = apps.get_model("audit", "Audit").objects.create(
        destination_public_id=uuid4(),
        destination_address="pacs:104 PACS",
        study_instance_uid=f"2.25.{number}",
        opened_at=AT,
        sealed_at=AT if is_sealed else None,
        tally={"instances": 2},
    )
    for position in range(2):
        instance = audit.instances.create(
            position=position, sop_instance_uid=f"2.25.{number}.{position}", data_set_size=1, **COLUMNS
        )
        instance.evidence.create(kind="present", round=1, at=AT, detail={"b": 1.0, "a": "ü"})


def test_audits_from_before_are_adopted_as_they_are_found(older: None) -> None:
    write_audit(1, is_sealed=True)
    write_audit(2, is_sealed=False)

    call_command("migrate", verbosity=0)

    kinds = [list(audit.links.values_list("kind", flat=True)) for audit in Audit.objects.order_by("pk")]
    assert kinds == [["adopted", "sealed"], ["adopted"]]
    walk = LedgerWalk()
    assert list(walk.breaks()) == []
    assert walk.rows == 4
