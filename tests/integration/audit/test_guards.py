"""The database refuses what must never happen, whoever asks."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.utils import timezone

from audit.guards import check_guards
from audit.judgements import Policy
from audit.ledger import AskedAt, Ledger, open_audit
from audit.models import Audit, Evidence, InstanceAudit
from audit.observations import EvidenceKind, Observation
from tests.guards import drop_guards
from tests.manifests import study

pytestmark = pytest.mark.django_db


@pytest.fixture
def audit() -> Audit:
    audit = open_audit(study(2), at=AskedAt(uuid4(), "pacs:104 PACS"), policy=Policy())
    ledger = Ledger(audit)
    ledger.begin_round()
    ledger.record(Observation("2.25.1.1", EvidenceKind.PRESENT, timezone.now()))
    ledger.flush()
    return audit


@pytest.mark.parametrize("statement", ["UPDATE audit_evidence SET kind = 'absent'", "DELETE FROM audit_evidence"])
def test_evidence_is_neither_changed_nor_deleted(audit: Audit, statement: str) -> None:
    with pytest.raises(Error, match="evidence is append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert list(Evidence.objects.values_list("kind", flat=True)) == ["present"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_audit SET verdict = 'committed'",
        "DELETE FROM audit_audit",
        "UPDATE audit_instanceaudit SET verdict = 'confirmed'",
    ],
)
def test_a_sealed_audit_is_neither_changed_nor_deleted(audit: Audit, statement: str) -> None:
    Ledger(audit).close()

    with (
        pytest.raises(Error, match="a sealed audit never changes"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert Audit.objects.get().verdict == "unverifiable"


def test_an_open_audit_can_be_changed(audit: Audit) -> None:
    assert InstanceAudit.objects.filter(audit=audit).update(was_there_before="no") == 2


def test_a_missing_guard_is_named_by_the_system_check(audit: Audit) -> None:
    drop_guards()

    errors = check_guards(databases=["default"])

    assert "audit_evidence_refuses_update" in {error.msg.split()[5].rstrip(":") for error in errors}
    call_command("migrate", verbosity=0)
    assert check_guards(databases=["default"]) == []
